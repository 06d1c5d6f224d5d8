//! A few things at a time, with the answers in the order of the questions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Inputs that are looked for at one time: enough to hide waiting, few enough for any site.
const AT_ONCE: usize = 4;

pub(super) fn run<J: Sync, T: Send>(jobs: &[J], work: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            match jobs.get(i) {
                Some(job) => done.push((i, work(job))),
                None => return done,
            }
        }
    };
    let mut answers = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE.min(jobs.len())).map(|_| scope.spawn(worker)).collect();
        let mut answers = Vec::with_capacity(jobs.len());
        for worker in workers {
            match worker.join() {
                Ok(done) => answers.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        answers
    });
    answers.sort_by_key(|(i, _)| *i);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    #[test]
    fn answers_keep_the_order_of_the_questions_whoever_is_first() {
        // The first job waits for the last but one: it can only end if others run beside it.
        let (ready, bell) = (Mutex::new(false), Condvar::new());
        let jobs: Vec<usize> = (0..10).collect();
        let answers = run(&jobs, |&job| {
            if job == 8 {
                *ready.lock().unwrap() = true;
                bell.notify_all();
            }
            if job == 0 {
                drop(bell.wait_while(ready.lock().unwrap(), |ready| !*ready).unwrap());
            }
            job * 2
        });
        assert_eq!(answers, (0..10).map(|job| job * 2).collect::<Vec<_>>());
        assert!(run(&[] as &[usize], |&job| job).is_empty());
    }
}
