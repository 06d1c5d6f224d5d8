//! What a run step costs that leaves 200 MiB, beside `docker build` of the same step, and beside what the engine needs
//! by itself to run it and to hand over what it left.

use std::path::Path;

use serde_json::{Value, json};

use crate::cost::{Cost, cost, run, shell};
use crate::elkbake;
use crate::scene::write;
use crate::service::Engine;

const RUNS: usize = 5;

/// Half of it is what no compressor makes shorter. The turn makes it a step that nobody has run.
const STEP: &str = "mkdir /opt/TURN; for i in $(seq 100); do head -c 1M /dev/urandom > /opt/TURN/$i; \
                    yes \"index shard node $i\" | head -c 1M > /opt/TURN/t$i; done";

/// A root file system with what the step calls, out of this machine's own.
const BASE: &str = r#"
    for program in sh seq head yes mkdir; do
        path=$(readlink -f "$(command -v "$program")")
        install -D "$path" "$0/bin/$program"
        ldd "$path" | grep -o '/[^ ]*' | while read -r library; do install -D "$library" "$0$library"; done
    done
    mkdir -p "$0/opt" "$0/dev" "$0/proc" "$0/sys" "$0/etc"
    tar -C "$0" --owner 0:0 --group 0:0 -cf "$1" .
"#;

/// The step, and the whole file system after it, out of the engine.
const ALONE: &str = r#"
    container=$(docker create --network none bench/step:1 sh -c "$STEP")
    docker start --attach "$container"
    docker export "$container" > /dev/null
    docker rm "$container" > /dev/null
"#;

const DOCKER: &str = r#"
    printf 'FROM bench/step:1\nRUN %s\n' "$STEP" | docker build --quiet --network none --tag bench/stepped:1 -
"#;

/// Runs and prints the measurement.
pub(crate) fn steps(folder: &Path) -> Value {
    let engine = match Engine::start(folder) {
        Ok(engine) => engine,
        Err(why) => {
            println!("\nrun steps are left out: {why}");
            return json!({ "left out": why });
        }
    };
    let project = folder.join("steps");
    let base = project.join("base.tar");
    std::fs::create_dir_all(&project).expect("a folder");
    run(shell(BASE).arg(folder.join("root")).arg(&base)).expect("a root file system");
    run(engine.shell("docker import --change 'ENV PATH=/bin' \"$0\" bench/step:1").arg(&base)).expect("an image");
    let names = ["elkbake build", "docker build", "docker run and export", "elkbake build again", "docker build again"];
    let mut costs: [Vec<Cost>; 5] = Default::default();
    for turn in 0..=RUNS {
        let step = step(&project, turn);
        let docker =
            |script: &str| cost(engine.shell(script).env("DOCKER_BUILDKIT", "0").env("STEP", &step), &[engine.pid()]);
        run(&mut shell("sync")).expect("sync");
        let ours = || cost(&mut bake(&project, &engine, &["build", "step", "--quiet"]), &[engine.pid()]);
        let turns = [ours(), docker(DOCKER), docker(ALONE), ours(), docker(DOCKER)].map(|done| done.expect("builds").0);
        if turn > 0 {
            costs.iter_mut().zip(turns).for_each(|(costs, cost)| costs.push(cost));
        }
    }
    print(&names, &costs);
    let row = |(name, costs): (&&str, &Vec<Cost>)| {
        let seconds: Vec<f64> = costs.iter().map(|cost| cost.wall).collect();
        json!({ "by": name, "seconds": seconds, "median": median(costs, |cost| cost.wall) })
    };
    json!(names.iter().zip(&costs).map(row).collect::<Vec<_>>())
}

/// Writes the recipe down, locks it and tells the step.
fn step(project: &Path, turn: usize) -> String {
    let step = STEP.replace("TURN", &turn.to_string());
    let recipe = format!(
        "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"rootfs:base.tar\"\n\n\
         [[run]]\nname = \"fill\"\ncommand = [\"sh\", \"-c\", '''{step}''']\nenv = {{ PATH = \"/bin\" }}\n"
    );
    write(&project.join("recipes/step.toml"), recipe.as_bytes());
    run(elkbake::command(project, &project.join("store")).args(["lock", "--quiet"])).expect("locks");
    step
}

fn bake(project: &Path, engine: &Engine, arguments: &[&str]) -> std::process::Command {
    let mut command = elkbake::command(project, &project.join("store"));
    command.arg("--engine").arg(format!("unix://{}", engine.socket.display())).args(arguments);
    command
}

fn print(names: &[&str], costs: &[Vec<Cost>]) {
    let alone = median(&costs[2], |cost| cost.wall);
    println!("\na run step that leaves 200 MiB; medians of {RUNS} runs, engine included");
    println!("{:>24} {:>10}{:>16}{:>10}{:>10}", "by", "seconds", "x run and export", "processor", "peak MB");
    for (name, costs) in names.iter().zip(costs) {
        let seconds = median(costs, |cost| cost.wall);
        let (processor, peak) = (median(costs, |cost| cost.processor), median(costs, |cost| cost.peak));
        println!("{name:>24} {seconds:>10.3}{:>16.2}{processor:>10.2}{peak:>10.0}", seconds / alone);
    }
}

fn median(costs: &[Cost], of: fn(&Cost) -> f64) -> f64 {
    let mut numbers: Vec<f64> = costs.iter().map(of).collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}
