//! The sample app's HTTP/1.1 server: keep-alive, all three framings, conditional GET, nothing else.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::request::{self, Request};
use super::resource::{Framing, Resource};

/// More than the demo and a curious person open; the rest waits in the kernel's queue.
const CONNECTIONS: usize = 512;

/// Accepts until dropped; the connections end with it.
pub(super) async fn serve(listener: TcpListener, resources: Arc<[Resource]>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS => {
                // A failed accept (out of descriptors, a client gone) concerns that connection alone.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(converse(stream, Arc::clone(&resources)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers the requests of one connection. An error ends it, as it would end any app's.
async fn converse(stream: TcpStream, resources: Arc<[Resource]>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = request::read(&mut stream).await? {
        if !answer(&mut stream, &request, &resources).await? {
            break;
        }
    }
    stream.shutdown().await
}

/// Writes one response; `false` when the connection must end after it.
async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, request: &Request, resources: &[Resource]) -> io::Result<bool> {
    if request.method != "GET" && request.method != "HEAD" {
        return plain(stream, "405 Method Not Allowed", request).await;
    }
    let Some(resource) = resources.iter().find(|resource| resource.path == request.target) else {
        return plain(stream, "404 Not Found", request).await;
    };
    tokio::time::sleep(resource.delay).await;
    resource.count_response();
    // RFC 9110, section 13.1.2, as plain apps do it: the whole field equals the tag.
    let tag = resource.value("ETag");
    if tag.is_some() && tag == request.if_none_match.as_deref() {
        let head = head("304 Not Modified", resource, None, request.close);
        stream.write_all(head.as_bytes()).await?;
        return Ok(!request.close);
    }
    let framing = match resource.framing {
        // RFC 9112, section 6.1: no transfer coding to an HTTP/1.0 client.
        Framing::Chunked if request.http10 => Framing::Close,
        framing => framing,
    };
    let close = request.close || framing == Framing::Close;
    stream.write_all(head("200 OK", resource, Some(framing), close).as_bytes()).await?;
    if request.method != "HEAD" {
        body(stream, resource, framing).await?;
    }
    Ok(!close)
}

/// A response without a resource.
async fn plain<S: AsyncWrite + Unpin>(stream: &mut S, status: &str, request: &Request) -> io::Result<bool> {
    let body = if request.method == "HEAD" { "" } else { status };
    let connection = if request.close { "Connection: close\r\n" } else { "" };
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{connection}\r\n{body}",
        status.len()
    );
    stream.write_all(response.as_bytes()).await?;
    Ok(!request.close)
}

/// `framing` is `None` where there is no body to frame.
fn head(status: &str, resource: &Resource, framing: Option<Framing>, close: bool) -> String {
    let mut lines = vec![format!("HTTP/1.1 {status}"), "Server: sample".to_owned()];
    lines.extend(resource.fields.iter().map(|(name, value)| format!("{name}: {value}")));
    match framing {
        Some(Framing::Length) => lines.push(format!("Content-Length: {}", resource.length())),
        Some(Framing::Chunked) => lines.push("Transfer-Encoding: chunked".to_owned()),
        Some(Framing::Close) | None => {}
    }
    if close {
        lines.push("Connection: close".to_owned());
    }
    lines.join("\r\n") + "\r\n\r\n"
}

async fn body<S: AsyncWrite + Unpin>(stream: &mut S, resource: &Resource, framing: Framing) -> io::Result<()> {
    for piece in &resource.pieces {
        // Ahead of the write, so that whoever has read the body finds all of it counted.
        resource.count_bytes(piece.len());
        match framing {
            Framing::Chunked => stream.write_all(&chunk(piece)).await?,
            Framing::Length | Framing::Close => stream.write_all(piece).await?,
        }
        if !resource.tick.is_zero() {
            tokio::time::sleep(resource.tick).await;
        }
    }
    if framing == Framing::Chunked {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

fn chunk(piece: &Bytes) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}
