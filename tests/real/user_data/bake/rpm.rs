//! Packages of Amazon Linux's kind, by the dnf that it has: 4.14, over a repository made here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FileType, Mode};

use super::Root;
use crate::real::{program, run};

/// A package with one file, which says its version.
const SPEC: &str = "\
Name: %{tool}
Version: %{told}
Release: 1
Summary: of a test
License: MIT
BuildArch: noarch
%description
Of a test.
%install
mkdir -p %{buildroot}/etc
echo %{told} > %{buildroot}/etc/%{tool}.version
%files
/etc/%{tool}.version
";

/// What is fetched is what lies there.
const CURL: &str =
    "#!/bin/bash\nwhile [ $# -gt 1 ]; do [ \"$1\" != -o ] || out=$2; shift; done\ncp \"/fetched/${1##*/}\" \"$out\"\n";

impl Root {
    /// A root without apt, whose dnf knows what the recipe asks for, and 1.0 and 2.0 of `tool`: it has 2.0 already.
    fn of_rpm() -> Option<Self> {
        for (name, package) in [("dnf", "dnf"), ("rpmbuild", "rpm"), ("createrepo_c", "createrepo-c")] {
            program(&[name], package)?;
        }
        let root = Self::new("")?;
        for (name, version) in [("tool", "1.0"), ("amazon-ecr-credential-helper", "1"), ("xfsprogs", "1")] {
            root.package(name, version, "repository");
        }
        let newer = root.package("tool", "2.0", "repository");
        run(Command::new("createrepo_c").arg("--quiet").arg(root.path("repository")));
        root.put("etc/dnf/dnf.conf", "[main]\n");
        root.put("etc/yum.repos.d/here.repo", "[here]\nname=here\nbaseurl=file:///repository\ngpgcheck=0\n");
        // Debian's rpm keeps its database in the home folder.
        root.put("etc/rpm/macros", "%_dbpath /var/lib/rpm\n");
        let mut rpm = Command::new("rpm");
        rpm.args(["--define", "_dbpath /var/lib/rpm", "--install", "--root"]).arg(root.path("")).arg(newer);
        run(&mut rpm);
        root.put("hidden/README", "");
        let (at, kind) = (root.path("hidden/apt-get"), FileType::CharacterDevice);
        rustix::fs::mknodat(rustix::fs::CWD, at, kind, Mode::empty(), 0).unwrap();
        root.stub("curl", CURL);
        Some(root)
    }

    /// Puts these lines at the end of the recipe's packages.
    fn packages(&self, more: &str) {
        let named = "amazon-ecr-credential-helper = \"*\"\n";
        let recipe = self.kitchen.read("recipes/host.toml");
        assert!(recipe.contains(named));
        self.kitchen.write("recipes/host.toml", recipe.replace(named, &format!("{named}{more}")));
    }

    fn package(&self, name: &str, version: &str, folder: &str) -> PathBuf {
        self.put("made/package.spec", SPEC);
        let mut build = Command::new("rpmbuild");
        build.args(["--quiet", "-bb", "--define"]).arg(format!("_topdir {}", self.path("made").display()));
        build.args(["--define", &format!("tool {name}"), "--define", &format!("told {version}")]);
        run(build.arg(self.path("made/package.spec")));
        let file = format!("{name}-{version}-1.noarch.rpm");
        let to = self.path(folder).join(&file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(self.path("made/RPMS/noarch").join(file), &to).unwrap();
        to
    }

    fn version_of(&self, name: &str) -> Option<String> {
        Some(fs::read_to_string(self.path("etc").join(format!("{name}.version"))).ok()?.trim().to_owned())
    }
}

fn locked(package: &Path) -> String {
    format!(
        "tool = \"1.0\"\n[[package]]\nname = \"agent\"\nurl = \"https://example.com/agent-3-1.noarch.rpm\"\n\
         checksum = \"{}\"\n",
        elkbake::digest::Digest::of(&fs::read(package).unwrap())
    )
}

#[test]
fn dnf_installs_by_name_by_version_and_by_file() {
    let Some(mut root) = Root::of_rpm() else { return };
    let file = root.package("agent", "3", "fetched");
    root.packages(&locked(&file));
    let console = root.bake(|script| script);
    assert!(root.said(&console).contains(&"ok".to_owned()), "{console}");
    // The version that is asked for is older than the one that was there.
    for (name, version) in [("tool", "1.0"), ("amazon-ecr-credential-helper", "1"), ("agent", "3")] {
        assert_eq!(root.version_of(name).as_deref(), Some(version), "{name}");
    }
    assert!(root.path("etc/yum.repos.d/here.repo").exists());
    let left: Vec<_> = fs::read_dir(root.path("var/cache/dnf")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_dnf_does_not_have_is_said_and_nothing_is_installed() {
    let Some(mut root) = Root::of_rpm() else { return };
    root.packages("tool = \"3.0\"\n");
    let console = root.bake(|script| script);
    for said in ["problem packages: failed with status 1", "No match for argument: tool-3.0", "failed"] {
        assert!(console.contains(said), "{said}\n{console}");
    }
    assert_eq!(root.version_of("tool").as_deref(), Some("2.0"));
    assert_eq!(root.version_of("amazon-ecr-credential-helper"), None);
}
