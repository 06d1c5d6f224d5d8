//! Numbers, as people read them.

/// A number of bytes as people read it: three digits that count.
#[expect(clippy::cast_precision_loss, reason = "rounded to a tenth anyway")]
pub(super) fn bytes(count: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB"];
    let mut value = count as f64 / 1000.0;
    if count < 1000 {
        return format!("{count} B");
    }
    let mut unit = units[0];
    for next in &units[1..] {
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// So many of something: `1 layer`, `2 layers`.
pub(super) fn counted(count: impl std::fmt::Display, what: &str) -> String {
    let count = count.to_string();
    format!("{count} {what}{}", if count == "1" { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::{bytes, counted};

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "layer")), ["0 layers", "1 layer", "2 layers"]);
    }

    #[test]
    fn bytes_are_rounded_as_people_read_them() {
        let pairs = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_550, "1.6 kB"),
            (999_960, "1.0 MB"),
            (2_500_000_000, "2.5 GB"),
        ];
        for (count, text) in pairs {
            assert_eq!(bytes(count), text);
        }
    }
}
