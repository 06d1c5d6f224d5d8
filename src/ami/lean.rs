//! Programs without their comments: EC2 takes 16 KiB of user data, and a quarter of our programs is for who changes them.

/// A program of bash without comments that have lines of their own, and without empty lines. The first two lines stay:
/// they say what runs it, and what it is.
pub(in crate::ami) fn lean(program: &str) -> String {
    let is_kept = |(i, line): &(usize, &str)| {
        let text = line.trim_start();
        *i < 2 || !(text.is_empty() || text.starts_with('#'))
    };
    program.lines().enumerate().filter(is_kept).map(|(_, line)| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_nothing_else() {
        let program = "#!/bin/bash\n# What it is\n# and more of it\n\na # b\n    # c\n  \n  d \"#e\"\n";
        assert_eq!(lean(program), "#!/bin/bash\n# What it is\na # b\n  d \"#e\"\n");
    }
}
