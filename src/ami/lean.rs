//! Programs without their comments and indents: EC2 takes 16 KiB of user data, and a quarter of our programs is for who
//! changes them.

/// A program of bash without indents, without comments that have lines of their own, and without empty lines. The first
/// two lines stay: they say what runs it, and what it is. None of our programs has a text in which an indent counts.
pub(in crate::ami) fn lean(program: &str) -> String {
    let is_kept = |(i, line): &(usize, &str)| *i < 2 || !(line.is_empty() || line.starts_with('#'));
    program.lines().map(str::trim_start).enumerate().filter(is_kept).map(|(_, line)| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_indents_go_and_nothing_else() {
        let program = "#!/bin/bash\n# What it is\n# and more of it\n\na # b\n    # c\n  \n  d \"#e\"\n";
        assert_eq!(lean(program), "#!/bin/bash\n# What it is\na # b\nd \"#e\"\n");
    }
}
