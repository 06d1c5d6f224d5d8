//! Bytes in which a compressor would find next to nothing: jars, archives, pictures, keys.
//!
//! A stretch is dense when its byte values are spread as evenly as those of noise, and what was seen a moment ago does
//! not come again. Whole numbers only, so that every processor says the same. At worst a stretch is called dense that
//! deflate would make 2 % smaller.

/// What is looked at at a time. A change needs another [`crate::plan::KEY_FORMAT`], as all here does.
const STRETCH: usize = 16 << 10;

/// Of less than this nothing can be said.
const SHORTEST: usize = 4 << 10;

/// How many groups of four bytes are remembered, by their hash.
const REMEMBERED: usize = 4096;

/// The lengths of neighbouring stretches, dense and not; together they are all bytes. One empty stretch for none.
pub(super) fn stretches(bytes: &[u8]) -> Vec<(usize, bool)> {
    let mut stretches: Vec<(usize, bool)> = Vec::new();
    for stretch in bytes.chunks(STRETCH) {
        let dense = is_dense(stretch);
        match stretches.last_mut() {
            Some((len, same)) if *same == dense => *len += stretch.len(),
            _ => stretches.push((stretch.len(), dense)),
        }
    }
    if stretches.is_empty() {
        stretches.push((0, false));
    }
    stretches
}

fn is_dense(bytes: &[u8]) -> bool {
    bytes.len() >= SHORTEST && is_even(bytes) && is_new(bytes)
}

/// Whether all byte values are about as frequent: the sum of squares is less than a tenth above what it is when all
/// are exactly so.
fn is_even(bytes: &[u8]) -> bool {
    // Four tables, because a processor that counts one value twice in a row has to wait for itself.
    let mut counts = [[0_u32; 256]; 4];
    for four in bytes.chunks_exact(4) {
        for (table, &byte) in counts.iter_mut().zip(four) {
            table[usize::from(byte)] += 1;
        }
    }
    let [a, b, c, d] = &counts;
    let squares: u64 = (0..256).map(|i| u64::from(a[i] + b[i] + c[i] + d[i]).pow(2)).sum();
    let len = bytes.len() as u64;
    squares * 256 * 10 < len * len * 11
}

/// Whether fewer than one in fifty groups of four bytes were there a moment ago.
fn is_new(bytes: &[u8]) -> bool {
    let mut seen = [0_u32; REMEMBERED];
    let mut again = 0;
    for four in bytes.windows(4) {
        let group = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
        // Knuth's multiplicative hash, and its twelve highest bits.
        let place = &mut seen[(group.wrapping_mul(2_654_435_761) >> 20) as usize];
        again += usize::from(*place == group);
        *place = group;
    }
    again * 50 < bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(len: usize) -> Vec<u8> {
        let mut state = 7_u64;
        let next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        std::iter::repeat_with(next).take(len).collect()
    }

    #[test]
    fn noise_is_dense_and_text_and_repetition_are_not() {
        assert!(is_dense(&noise(STRETCH)));
        assert!(is_dense(&noise(SHORTEST)) && !is_dense(&noise(SHORTEST - 1)));
        let hex: String = noise(STRETCH / 2).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!is_dense(hex.as_bytes()));
        assert!(!is_dense(&[0; STRETCH]));
        let again = noise(STRETCH / 2).repeat(2);
        assert!(is_even(&again) && !is_dense(&again));
    }

    #[test]
    fn what_was_deflated_is_dense() {
        let words: String = noise(400_000).iter().map(|byte| format!("{} ", byte % 100)).collect();
        let mut deflated = Vec::with_capacity(1 << 20);
        flate2::Compress::new(flate2::Compression::new(6), false)
            .compress_vec(words.as_bytes(), &mut deflated, flate2::FlushCompress::Finish)
            .unwrap();
        let stretches = stretches(&deflated);
        let dense: usize = stretches.iter().filter(|(_, dense)| *dense).map(|(len, _)| len).sum();
        assert!(dense * 10 > deflated.len() * 9, "{dense} of {}", deflated.len());
    }

    #[test]
    fn stretches_are_joined_and_cover_all() {
        let mut bytes = noise(3 * STRETCH);
        bytes.resize(5 * STRETCH + 5, b'a');
        assert_eq!(stretches(&bytes), [(3 * STRETCH, true), (2 * STRETCH + 5, false)]);
        assert_eq!(stretches(&[]), [(0, false)]);
    }
}
