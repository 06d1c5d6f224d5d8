//! The same work on many things at once, with the results in the order of the things.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does `work` on every item, on as many threads as there are processors.
pub fn map<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    bounded(items, std::thread::available_parallelism().map_or(1, NonZeroUsize::get), work)
}

/// The same for work that is soon done: few items are done before other threads have begun.
pub fn map_light<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if items.len() < FEW { bounded(items, 1, work) } else { map(items, work) }
}

/// To start a thread takes as long as to read a few small files.
const FEW: usize = 64;

/// Does `work` on every item, on so many threads at the most.
pub fn bounded<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Vec::new();
                while let Some((i, item)) = take(items, &next) {
                    mine.push((i, work(item)));
                }
                done.lock().unwrap_or_else(PoisonError::into_inner).append(&mut mine);
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

fn take<'i, T>(items: &'i [T], next: &AtomicUsize) -> Option<(usize, &'i T)> {
    let i = next.fetch_add(1, Ordering::Relaxed);
    items.get(i).map(|item| (i, item))
}

#[cfg(test)]
mod tests {
    use super::{FEW, bounded, map_light};

    #[test]
    fn results_keep_the_order_of_the_items_on_any_number_of_threads() {
        let items: Vec<u64> = (0..1000).collect();
        let expected: Vec<u64> = items.iter().map(|n| n * n).collect();
        for threads in [0, 1, 2, 7, 2000] {
            assert_eq!(bounded(&items, threads, |n| n * n), expected);
        }
        assert!(bounded(&[] as &[u64], 4, |n| *n).is_empty());
        for few in [0, FEW - 1, FEW, 1000] {
            assert_eq!(map_light(&items[..few], |n| n * n), expected[..few]);
        }
    }
}
