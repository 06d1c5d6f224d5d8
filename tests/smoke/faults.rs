//! Engines that die, containers that do what they should not: each a clear end, and nothing left behind.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{ALL, SERVED, kitchen};
use crate::kitchen::engine::{Engine, Fault};
use crate::kitchen::project::interrupted;

#[test]
fn an_engine_that_is_gone_in_the_middle_is_no_failed_test() {
    for at in ["/load", "/create", "/attach", "/start", "/exec", "/archive", "/stop"] {
        let engine = Engine::start();
        let kitchen = kitchen(&engine, &SERVED, ALL);
        engine.fault(Fault::Dies(at));
        let told = kitchen.run(&["test"]).code(6).complains("the engine at ").complains("hint: ");
        assert!(!told.stderr.contains("panicked"), "{at}: {}", told.stderr);
        engine.heal();
        kitchen.run(&["sweep"]).success();
        engine.clean();
    }
}

#[test]
fn what_the_engine_says_is_told_and_nothing_is_left() {
    for at in ["/load", "/create", "/start", "/exec", "/archive", "/stop"] {
        let engine = Engine::start();
        let kitchen = kitchen(&engine, &SERVED, ALL);
        engine.fault(Fault::Says(at, 500, "no space left on device"));
        kitchen.run(&["test"]).code(6).complains("no space left on device").complains("docker system df");
        engine.heal();
        engine.clean();
    }
}

#[test]
fn a_container_that_ends_at_once_is_not_waited_for() {
    let engine = Engine::start();
    let begun = Instant::now();
    let patient = ALL.replace("timeout = 60\n[test.ready]", "timeout = 600\n[test.ready]");
    let told = kitchen(&engine, &["print:why", "exit:2"], &patient).run(&["test"]).code(1);
    told.says("failed  ready").says("it ended with exit code 2").says("  | why\n");
    assert!(begun.elapsed() < Duration::from_secs(300), "it has 600 s to be ready");
    kitchen(&engine, &["memory"], ALL).run(&["test"]).code(1).says("it wanted more memory than it may take");
    engine.clean();
}

#[test]
fn one_that_has_ended_has_not_started_though_the_engine_is_late_to_say_so() {
    let engine = Engine::start();
    engine.state().late = 6;
    let more = "[runtime]\nmemory = 64\n[test]\n";
    let told = kitchen(&engine, &["memory"], more).run(&["test"]).code(1);
    told.says("failed  started").says("it wanted more memory than it may take");
    engine.clean();
}

#[test]
fn one_that_starts_late_is_stopped_only_then() {
    let engine = Engine::start();
    engine.state().slow_start = Duration::from_millis(300);
    // What was stopped too early would run on, and be waited for longer.
    let more = "[runtime]\nstop_timeout = 5\n[test]\n";
    kitchen(&engine, &["hang"], more).run(&["test"]).success().says("  ok      stop (");
    engine.clean();
}

#[test]
fn one_that_does_not_stop_in_its_time_fails() {
    let engine = Engine::start();
    let more = "[runtime]\nmemory = 64\nstop_timeout = 1\n[test]\n";
    engine.state().late = 9;
    let told = kitchen(&engine, &["deaf"], more).run(&["test"]).code(1);
    told.says("failed  stop").says("it had not ended 1 s after the stop signal, and was killed");
    assert_eq!(engine.state().late, 8, "nobody asks again whether it was for its memory");
    engine.clean();
}

#[test]
fn one_that_ends_while_it_is_looked_at_fails() {
    let engine = Engine::start();
    let more = "[[test.expect]]\ncommand = [\"end\"]\n[[test.expect]]\ncommand = [\"print:a\"]\n";
    kitchen(&engine, &["hang"], more).run(&["test"]).code(1).says("it ended with exit code 0");
    engine.clean();
}

#[test]
fn whoever_stops_it_leaves_nothing() {
    let engine = Engine::start();
    let kitchen = kitchen(&engine, &["hang"], "[test]\ntimeout = 100\n[test.ready]\nlog = \"never\"\n");
    let child = kitchen.command(&["test"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The probe, and the image.
    engine.until_asked("/start", 2);
    interrupted(child).code(130).complains("interrupted");
    engine.clean();
}

/// What was found, as a parser of XML reads it that is not ours.
#[test]
fn junit_is_xml() {
    let Some(python) = crate::real::program(&["python3"], "python3") else { return };
    let engine = Engine::start();
    let more = "[[test.expect]]\ncommand = [\"print:<&\\\"'>]]> \u{e9}\u{1}\\n\", \"exit:1\"]\n";
    let kitchen = kitchen(&engine, &["print:<b>&\u{1b}[0m", "hang"], &more.replace('\u{1}', "\\u0001"));
    kitchen.run(&["test", "--junit", "out.xml"]).code(1);
    let read = "import sys, xml.etree.ElementTree as E
r = E.parse(sys.argv[1]).getroot()
s = r.find('testsuite')
print(r.get('tests'), r.get('failures'), s.get('name'), len(s.findall('testcase')))
print(s.findall('testcase')[-1].get('name') == 'command print:<&\"\\'>]]> \\u00e9\\ufffd\\n exit:1')
print('<b>&\\ufffd[0m' in s.find('system-out').text)";
    let output = Command::new(python).args(["-c", read]).arg(kitchen.project().join("out.xml")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said, "2 1 app linux/amd64 2\nTrue\nTrue\n", "{}", String::from_utf8_lossy(&output.stderr));
    engine.clean();
}
