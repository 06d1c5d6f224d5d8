//! What is recorded is announced too, sooner or later.

use super::{project, records};
use crate::kitchen::ecr::{Ecr, Trouble};
use crate::kitchen::registry::Fault;

const REGION: &str = "eu-west-1";

#[test]
fn what_could_not_be_announced_is_announced_by_the_next_push() {
    let ecr = Ecr::start(&[REGION]);
    let kitchen = project(&ecr, &[REGION], "parameters = true\n");
    let parameter = || {
        let key = (REGION.to_owned(), "/elkbake/prod/app/image".to_owned());
        ecr.state(|state| state.parameters.get(&key).cloned())
    };
    ecr.fault("PutParameter", 1, Trouble::Error("AccessDeniedException"));
    ecr.registry(REGION).fault("PUT /v2/elk/bakes/manifests/*", 1, Fault::Status(403, None));
    kitchen.run(&["push", "--target", "prod"]).code(5).complains("/elkbake/prod/app/image").complains("elk/bakes");
    let place = records(&kitchen)["recipes"]["app"]["current"]["reference"].as_str().unwrap().to_owned();
    assert!(parameter().is_none() && ecr.registry(REGION).named("elk/bakes", "current").is_none());
    kitchen.run(&["push", "--target", "prod"]).success().says("was there");
    assert_eq!(parameter().as_ref(), Some(&place));
    assert!(ecr.registry(REGION).named("elk/bakes", "current").is_some());
    ecr.forget();
    ecr.registry(REGION).forget();
    kitchen.run(&["push", "--target", "prod"]).success();
    assert_eq!((ecr.asked("PutParameter"), ecr.registry(REGION).lines().len()), (0, 1), "once is enough");
}

#[test]
fn what_is_current_once_more_is_announced_once_more() {
    let ecr = Ecr::start(&[REGION]);
    let kitchen = project(&ecr, &[REGION], "parameters = true\n");
    for content in ["a = 1\n", "a = 2\n", "a = 1\n"] {
        kitchen.write("images/app/etc/app.conf", content);
        kitchen.run(&["push", "--target", "prod"]).success();
        let place = records(&kitchen)["recipes"]["app"]["current"]["reference"].as_str().unwrap().to_owned();
        let parameters = ecr.state(|state| state.parameters.clone());
        assert_eq!(parameters.values().collect::<Vec<_>>(), [&place]);
        let (_, artifact) = ecr.registry(REGION).named("elk/bakes", "current").unwrap();
        let artifact: serde_json::Value = serde_json::from_slice(&artifact).unwrap();
        let layer = artifact["layers"][0]["digest"].as_str().unwrap().parse().unwrap();
        let held = ecr.registry(REGION).held("elk/bakes", &layer).unwrap();
        assert_eq!(String::from_utf8(held).unwrap(), kitchen.read("prod.json"));
    }
}
