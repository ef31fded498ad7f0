//! The pulse of the workers, which `/livez` takes: that the admin listener answers says nothing of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::admin::Lifecycle;

/// Between two beats. `/livez` misses several before it says so.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// On the runtime whose workers are to be seen.
pub async fn beat(lifecycle: Arc<Lifecycle>) {
    loop {
        lifecycle.beat();
        sleep(BEAT_EVERY).await;
    }
}
