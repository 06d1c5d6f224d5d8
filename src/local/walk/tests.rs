use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use tempfile::TempDir;

use super::*;

fn project(files: &[(&str, &str)]) -> TempDir {
    let project = TempDir::new().unwrap();
    for (path, text) in files {
        let path = project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    project
}

fn rules(rules: &[(&str, Option<&str>, Option<&str>)]) -> BTreeMap<Glob, FileRule> {
    let rule = |owner: Option<&str>, mode: Option<&str>| FileRule {
        owner: owner.map(|owner| owner.parse().unwrap()),
        mode: mode.map(|mode| mode.parse().unwrap()),
    };
    rules.iter().map(|(glob, owner, mode)| (glob.parse().unwrap(), rule(*owner, *mode))).collect()
}

fn listing(local: &Local) -> Vec<String> {
    let node = |node: &Node| match node {
        Node::Folder => "/".to_owned(),
        Node::File { size, .. } => format!(" {size}"),
        Node::Link(target) => format!(" -> {target}"),
    };
    local.tree.iter().map(|(path, e)| format!("{} {} {path}{}", e.mode, e.owner, node(&e.node))).collect()
}

fn error(project: &TempDir) -> String {
    read(project.path(), "images/es", &BTreeMap::new()).unwrap_err().to_string()
}

#[test]
fn a_folder_that_is_not_there_is_an_empty_one() {
    assert!(read(project(&[]).path(), "images/es", &BTreeMap::new()).unwrap().tree.is_empty());
}

#[test]
fn a_pattern_with_a_slash_at_its_end_is_for_folders() {
    let project = project(&[("images/es/tmp/in/x", "x"), ("images/es/data/x", "x")]);
    let rules = rules(&[
        ("tmp/", None, Some("1777")),
        ("**", Some("7:7"), Some("0600")),
        ("/data/", Some("8:8"), None),
        ("**/in/", Some("9:9"), Some("0700")),
    ]);
    let local = read(project.path(), "images/es", &rules).unwrap();
    let expected =
        ["0755 8:8 /data/", "0600 7:7 /data/x 1", "1777 7:7 /tmp/", "0700 9:9 /tmp/in/", "0600 7:7 /tmp/in/x 1"];
    assert_eq!(listing(&local), expected);
    let said: Vec<_> = local.said.iter().map(|(path, said)| (path.as_str(), said.owner, said.mode)).collect();
    assert_eq!(said, [("/data", true, false), ("/tmp", true, true), ("/tmp/in", true, true)]);
}

#[test]
fn files_folders_and_links_get_their_default_modes() {
    let project = project(&[
        ("images/es/usr/local/bin/run", "#!"),
        ("images/es/usr/local/bin/lib/x", "x"),
        ("images/es/sbin/init", ""),
        ("images/es/etc/es.yml", "a: b"),
    ]);
    symlink("../etc/es.yml", project.path().join("images/es/sbin/link")).unwrap();
    fs::create_dir(project.path().join("images/es/empty")).unwrap();
    let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
    assert_eq!(
        listing(&local),
        [
            "0755 0:0 /empty/",
            "0755 0:0 /etc/",
            "0644 0:0 /etc/es.yml 4",
            "0755 0:0 /sbin/",
            "0755 0:0 /sbin/init 0",
            "0777 0:0 /sbin/link -> ../etc/es.yml",
            "0755 0:0 /usr/",
            "0755 0:0 /usr/local/",
            "0755 0:0 /usr/local/bin/",
            "0755 0:0 /usr/local/bin/lib/",
            "0644 0:0 /usr/local/bin/lib/x 1",
            "0755 0:0 /usr/local/bin/run 2",
        ]
    );
    let path: ImagePath = "/etc/es.yml".parse().unwrap();
    assert_eq!(local.source(&path), Path::new("images/es/etc/es.yml"));
    assert!(
        matches!(&local.tree.get(&path).unwrap().node, Node::File { digest, .. } if *digest == Digest::of(b"a: b"))
    );
}

#[test]
fn the_longest_pattern_that_says_something_counts() {
    let project = project(&[("images/es/a/b/c.sh", ""), ("images/es/a/d", "")]);
    symlink("d", project.path().join("images/es/a/e")).unwrap();
    let rules = rules(&[
        ("**", Some("1:1"), Some("0600")),
        ("a/**", Some("2:2"), None),
        ("/a/b/*.sh", None, Some("0750")),
        ("a", Some("3:3"), Some("0700")),
    ]);
    assert_eq!(
        listing(&read(project.path(), "images/es", &rules).unwrap()),
        ["0755 1:1 /a/", "0755 2:2 /a/b/", "0750 2:2 /a/b/c.sh 0", "0600 2:2 /a/d 0", "0777 2:2 /a/e -> d",]
    );
}

#[test]
fn modes_and_times_of_the_checkout_do_not_count() {
    let project = project(&[("images/es/etc/a", "x")]);
    let before = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
    let file = project.path().join("images/es/etc/a");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o777)).unwrap();
    fs::File::open(&file).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    fs::set_permissions(file.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(before.tree, read(project.path(), "images/es", &BTreeMap::new()).unwrap().tree);
}

#[test]
fn what_git_and_file_managers_drop_is_left_out() {
    let project = project(&[("images/es/data/.gitkeep", ""), ("images/es/.DS_Store", "x")]);
    let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
    assert_eq!(listing(&local), ["0755 0:0 /data/"]);
}

#[test]
fn links_out_of_the_image_are_refused() {
    for (target, refused) in [
        ("../../etc/passwd", true),
        ("x/../../../y", true),
        ("/../x", true),
        ("../x", false),
        ("..", false),
        ("/etc/passwd", false),
        ("./nowhere", false),
    ] {
        let project = project(&[("images/es/etc/a", "")]);
        symlink(target, project.path().join("images/es/etc/l")).unwrap();
        let read = read(project.path(), "images/es", &BTreeMap::new());
        assert_eq!(read.is_err(), refused, "{target}");
        if let Err(error) = read {
            let text = error.to_string();
            assert!(text.contains("images/es/etc/l") && text.contains(target), "{text}");
        }
    }
}

#[test]
fn a_linked_folder_inside_the_image_is_not_followed() {
    let project = project(&[("images/es/a/x", "")]);
    symlink("a", project.path().join("images/es/b")).unwrap();
    let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
    assert_eq!(listing(&local), ["0755 0:0 /a/", "0644 0:0 /a/x 0", "0777 0:0 /b -> a"]);
}

#[test]
fn a_recipes_folder_may_link_inside_the_project_only() {
    let outside = project(&[("x", "secret")]);
    for link in ["images", "images/es"] {
        let project = project(&[("shared/es/x", "")]);
        let link = project.path().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        fs::create_dir_all(outside.path().join("es")).unwrap();
        symlink(outside.path(), &link).unwrap();
        assert!(error(&project).contains("images/es is a link that leaves the project"), "{}", error(&project));
        fs::remove_file(&link).unwrap();
        symlink(project.path().join("nowhere"), &link).unwrap();
        assert!(error(&project).contains("images/es cannot be read"), "{}", error(&project));
    }
    let project = project(&[("shared/x", ""), ("images/.gitkeep", "")]);
    symlink("../shared", project.path().join("images/es")).unwrap();
    assert_eq!(read(project.path(), "images/es", &BTreeMap::new()).unwrap().tree.len(), 1);
}

#[test]
fn a_file_in_the_folders_place_is_named() {
    assert!(error(&project(&[("images/es", "")])).contains("images/es is no folder"));
}

#[test]
fn sockets_and_pipes_are_refused() {
    let project = project(&[("images/es/run/.gitkeep", "")]);
    let path = project.path().join("images/es/run/socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(error(&project).contains("images/es/run/socket is a socket"));
    fs::remove_file(&path).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(error(&project).contains("images/es/run/socket is a pipe"));
}

#[test]
fn names_that_are_not_utf_8_are_refused() {
    let project = project(&[("images/es/.gitkeep", "")]);
    let wrong = std::ffi::OsStr::from_bytes(b"\xff");
    symlink(wrong, project.path().join("images/es/link")).unwrap();
    assert!(error(&project).contains("images/es/link is a link to a name that is not UTF-8"));
    fs::remove_file(project.path().join("images/es/link")).unwrap();
    fs::write(project.path().join("images/es").join(wrong), "").unwrap();
    assert!(error(&project).contains("is not UTF-8"));
}

#[test]
fn each_of_many_files_gets_its_own_bytes() {
    // More than are read at a time, in one folder and over several.
    let names = (0..2 * AT_ONCE + 7).map(|i| (format!("images/es/{}/{i}", i % 3 * (i / 1500)), format!("{i}")));
    let names: Vec<_> = names.collect();
    let files: Vec<_> = names.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let project = project(&files);
    let local = read(project.path(), "images/es", &BTreeMap::new()).unwrap();
    assert_eq!(local.files().count(), files.len());
    for (path, digest) in local.files() {
        assert_eq!(*digest, Digest::of(path.file_name().as_bytes()), "{path}");
    }
}

#[test]
fn a_very_deep_tree_is_read() {
    let project = project(&[(&format!("images/es/{}x", "d/".repeat(60)), "")]);
    assert_eq!(read(project.path(), "images/es", &BTreeMap::new()).unwrap().tree.len(), 61);
}

/// A minute after the last change of a file.
fn later(path: &Path) -> SystemTime {
    let meta = fs::metadata(path).unwrap();
    let changed = std::time::Duration::new(meta.ctime().cast_unsigned(), 0);
    SystemTime::UNIX_EPOCH + changed + std::time::Duration::from_mins(1)
}

#[test]
fn a_file_that_looks_as_it_did_is_not_read_again_and_any_edit_shows() {
    let text = |c: char| c.to_string().repeat(20_000);
    let project = project(&[("images/es/big", &text('a')), ("images/es/small", "a"), ("aside", &text('c'))]);
    let big = project.path().join("images/es/big");
    let again = |seen: &Seen, now| read_again(project.path(), "images/es", &BTreeMap::new(), seen, now).unwrap();
    let digest = |local: &Local| match local.tree.get(&"/big".parse().unwrap()).unwrap().node {
        Node::File { digest, size: 20_000 } => digest,
        _ => panic!("another size"),
    };

    let (local, fresh) = again(&Seen::default(), later(&big) - std::time::Duration::from_secs(59));
    assert_eq!((digest(&local), fresh), (Digest::of(text('a').as_bytes()), Seen::default()), "too fresh to believe");
    let (_, seen) = again(&Seen::default(), later(&big));
    assert_ne!(seen, Seen::default());
    assert_eq!(again(&seen, later(&big)), (local.clone(), seen.clone()));
    // That it was not read shows when notes of another file stand in for it.
    let json = serde_json::to_string(&seen).unwrap();
    let wrong = json.replace(&Digest::of(text('a').as_bytes()).hex(), &Digest::of(b"?").hex());
    let (lied_to, _) = again(&serde_json::from_str(&wrong).unwrap(), later(&big));
    assert_eq!(digest(&lied_to), Digest::of(b"?"));

    // Times go in steps of up to ten milliseconds; what is closer together is what `SETTLED` is for.
    std::thread::sleep(std::time::Duration::from_millis(50));
    let dates = fs::metadata(&big).unwrap().modified().unwrap();
    let keep_dates = |path: &Path| File::open(path).unwrap().set_modified(dates).unwrap();
    fs::write(&big, text('b')).unwrap();
    keep_dates(&big);
    assert_eq!(digest(&again(&seen, later(&big)).0), Digest::of(text('b').as_bytes()), "edited in its place");
    let (_, seen) = again(&seen, later(&big));
    keep_dates(&project.path().join("aside"));
    fs::rename(project.path().join("aside"), &big).unwrap();
    assert_eq!(digest(&again(&seen, later(&big)).0), Digest::of(text('c').as_bytes()), "another in its place");
    fs::remove_file(&big).unwrap();
    assert_eq!(again(&seen, later(project.path())).1, Seen::default());
}
