//! What was freed goes back to the kernel: allocators keep it for the next who asks.

/// Gives back what the allocator holds and nobody uses. Takes some milliseconds.
pub fn release() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes no pointer, and may be called from any thread at any time (malloc_trim(3)).
    #[expect(unsafe_code, reason = "nothing else gives memory back to the kernel")]
    unsafe {
        libc::malloc_trim(0);
    }
}
