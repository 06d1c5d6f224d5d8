//! Pushes into ECR that are killed while parts of a large layer are on their way.

use std::time::Duration;

use super::super::killed::noise;
use super::project;
use crate::kitchen::ecr::Ecr;
use crate::wire::cuts::Dice;

const PART: u64 = 5 << 20;

#[test]
fn parts_that_had_arrived_when_a_push_was_killed_are_not_sent_again() {
    const SIZE: u64 = 8 * PART + 1000;
    let ecr = Ecr::start(&["eu-west-1"]);
    let content = noise(usize::try_from(SIZE).unwrap(), 7);
    let kitchen = project(&ecr, &["eu-west-1"], "").file("images/app/big", content);
    kitchen.run(&["build"]).success();
    ecr.slow("UploadLayerPart", Duration::from_millis(100));
    let (mut dice, mut held) = (Dice(9), 0);
    for round in 0..5 {
        // On a busy machine more parts arrive than one in a round, and whoever is to be killed must not come to its end.
        if SIZE - held < 4 * PART {
            break;
        }
        ecr.forget();
        let mut child = kitchen.command(&["push", "--target", "prod", "--quiet"]).spawn().unwrap();
        while ecr.asked("UploadLayerPart") < 1 + usize::from(round % 2 == 0) {
            assert!(child.try_wait().unwrap().is_none(), "it came to its end");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(dice.below(100) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        let before = held;
        held = ecr.uploaded();
        let parts = ecr.asked("UploadLayerPart") as u64;
        // One may have been on its way at the kill, and one before may have arrived though nobody heard of it.
        assert!(parts * PART <= held - before + 2 * PART, "{parts} parts, and {before} became {held}");
        assert_eq!(ecr.asked("InitiateLayerUpload"), usize::from(round == 0), "it goes on with the same upload");
    }
    assert!(held >= 3 * PART, "{held}");
    ecr.forget();
    ecr.slow("UploadLayerPart", Duration::ZERO);
    kitchen.run(&["push", "--target", "prod"]).success();
    let parts = ecr.asked("UploadLayerPart") as u64;
    assert!(parts <= (SIZE - held).div_ceil(PART) + 2, "{parts} parts, and {held} bytes were there");
    assert_eq!(ecr.asked("InitiateLayerUpload"), 0);
    kitchen.run(&["verify", "--target", "prod"]).success();
}
