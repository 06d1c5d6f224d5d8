//! Work that ends when the person asks to stop.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;

use crate::bake::interrupt::Interrupt;
use crate::bake::port::PortError;

/// A person who presses Ctrl-C sees an end at once; asking 20 times a second costs nothing.
const TICK: Duration = Duration::from_millis(50);

/// Waits until work is done, or the person has asked to stop and so long has passed since.
pub(super) fn unless_stopped<T>(
    handle: &Handle,
    interrupt: &Interrupt,
    grace: Duration,
    work: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let stopped = async {
        while !interrupt.requested() {
            tokio::time::sleep(TICK).await;
        }
        tokio::time::sleep(grace).await;
    };
    handle.block_on(async {
        tokio::select! {
            biased;
            () = stopped => Err(PortError::Interrupted),
            done = work => done,
        }
    })
}
