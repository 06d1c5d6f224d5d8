//! `elkbake export`.

use clap::{Args, ValueEnum};

use super::failure::{Exit, Failure};
use super::global::Global;
use super::route::route;
use super::surroundings::Surroundings;
use super::ui::Ui;
use super::workspace::{Workspace, recipe_name};
use crate::export::{
    Choice, HostWishes, LaunchTemplate, Mount, Task, TaskWishes, cloudformation, env, github, json, launch_template,
    task, terraform,
};
use crate::name::{Platform, RecipeName};
use crate::recipe::{Architecture, Region};

/// Print what was published in the words of the tools that deploy it
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  elkbake export --format terraform --target production > elkbake.auto.tfvars.json
  elkbake export --format cloudformation kibana > parameters.json
  aws cloudformation deploy --stack-name elk --template-file elk.yaml \\
      --parameter-overrides file://parameters.json
  elkbake export --format ecs kibana fluent-bit --execution-role \"$ROLE\" > task.json
  aws ecs register-task-definition --cli-input-json file://task.json
  elkbake export --format launch-template ecs-host --region eu-west-1 --architecture arm64 --cluster elk > data.json
  aws ec2 create-launch-template --launch-template-name ecs-host --launch-template-data file://data.json
  elkbake export --format env > images.env && . ./images.env && echo \"$KIBANA_IMAGE\"
  elkbake export --format github >> \"$GITHUB_OUTPUT\"    # steps.ID.outputs.kibana_image
  elkbake export --format json | jq -r '.images.kibana.image'

Images are named by digest. It reads the target's manifest, and neither a registry nor AWS.
docs/export.md tells what each format holds.")]
pub(super) struct ExportArgs {
    /// For which tool
    #[arg(long, value_enum)]
    format: Format,
    /// Recipes by name; all that the target has a record of where none is named. For ecs those of one task, the main one
    /// first
    recipes: Vec<String>,
    /// The target, as elkbake.toml names it
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Where it is deployed: images and AMIs of this region; else images of the target's first
    #[arg(long)]
    region: Option<Region>,
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    host: HostArgs,
}

/// What no record says of a launch template.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --format launch-template")]
struct HostArgs {
    /// The processor, where the AMIs are for several
    #[arg(long, value_name = "PROCESSOR")]
    architecture: Option<Architecture>,
    /// The instance type, instead of the first of the recipe's
    #[arg(long, value_name = "TYPE")]
    instance_type: Option<String>,
    /// The ECS cluster that instances join
    #[arg(long, value_name = "NAME", value_parser = cluster)]
    cluster: Option<String>,
    /// The instance profile of instances, by name or ARN
    #[arg(long, value_name = "PROFILE")]
    instance_profile: Option<String>,
}

/// A cluster's name goes into a script.
pub(super) fn cluster(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len());
    if fits && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c)) {
        Ok(text.to_owned())
    } else {
        Err("a cluster's name has letters, digits, `-` and `_`".to_owned())
    }
}

/// What no record says of a task.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --format ecs")]
struct TaskArgs {
    /// A task for Fargate instead of EC2
    #[arg(long)]
    fargate: bool,
    /// The platform that the task runs on; for EC2 any that the images are for where none is named
    #[arg(long)]
    platform: Option<Platform>,
    /// The role that ECS takes on, to read secrets and to pull
    #[arg(long, value_name = "ARN")]
    execution_role: Option<String>,
    /// The role that the programs take on
    #[arg(long, value_name = "ARN")]
    task_role: Option<String>,
    /// Where secrets come from, instead of the SSM parameters /elkbake/{target}/{recipe}/{name}
    #[arg(long, value_name = "SCHEME")]
    secrets_from: Option<String>,
    /// A folder of the host, in place of a volume: HOST-PATH:PATH, perhaps with :ro
    #[arg(long, value_name = "MOUNT", conflicts_with = "fargate")]
    volume: Vec<Mount>,
    /// CPU units of the whole task
    #[arg(long, value_name = "UNITS", value_parser = clap::value_parser!(u32).range(1..))]
    cpu: Option<u32>,
    /// Memory of the whole task
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    memory: Option<u32>,
}

/// The tools that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Terraform variables, for a file *.auto.tfvars.json
    Terraform,
    /// Parameters of a CloudFormation stack
    Cloudformation,
    /// A task definition, as `aws ecs register-task-definition --cli-input-json` takes it
    Ecs,
    /// The data of an EC2 launch template for a host, as `aws ec2 create-launch-template` takes it
    LaunchTemplate,
    /// Variables for shells and Docker Compose
    Env,
    /// Outputs of a step of GitHub Actions
    Github,
    /// One JSON document, for all others
    Json,
}

pub(super) fn export(
    args: &ExportArgs,
    global: &Global,
    ui: &Ui,
    surroundings: &Surroundings,
) -> Result<Exit, Failure> {
    if let Some(flag) = args.task.given().filter(|_| args.format != Format::Ecs) {
        return Err(Failure::usage(format!("--{flag} is for --format ecs only")));
    }
    if let Some(flag) = args.host.given().filter(|_| args.format != Format::LaunchTemplate) {
        return Err(Failure::usage(format!("--{flag} is for --format launch-template only")));
    }
    let named = args.recipes.iter().map(|named| recipe_name(named)).collect::<Result<Vec<RecipeName>, _>>()?;
    let workspace = Workspace::find(global, surroundings)?;
    let manifest = route(&workspace, args.target.as_deref())?.records(&workspace)?;
    let choice = Choice::of(&manifest, &named, args.region.as_ref())?;
    choice.remarks().iter().for_each(|remark| ui.warn(remark));
    match args.format {
        Format::Terraform => ui.json(&terraform(&choice)?),
        Format::Cloudformation => ui.json(&cloudformation(&choice)?),
        Format::Json => ui.json(&json(&choice)?),
        Format::LaunchTemplate => {
            let LaunchTemplate { data, remarks } = launch_template(&choice, &args.host.wishes())?;
            remarks.iter().for_each(|remark| ui.warn(remark));
            ui.json(&data)
        }
        Format::Env => ui.result(&env(&choice)?),
        Format::Github => ui.result(&github(&choice)?),
        Format::Ecs => {
            let Task { definition, remarks } = task(&choice, &args.task.wishes())?;
            remarks.iter().for_each(|remark| ui.warn(remark));
            ui.json(&definition)
        }
    }?;
    Ok(Exit::Done)
}

impl TaskArgs {
    /// The first of these that was given.
    fn given(&self) -> Option<&'static str> {
        let all = [
            ("fargate", self.fargate),
            ("platform", self.platform.is_some()),
            ("execution-role", self.execution_role.is_some()),
            ("task-role", self.task_role.is_some()),
            ("secrets-from", self.secrets_from.is_some()),
            ("volume", !self.volume.is_empty()),
            ("cpu", self.cpu.is_some()),
            ("memory", self.memory.is_some()),
        ];
        all.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    fn wishes(&self) -> TaskWishes {
        TaskWishes {
            fargate: self.fargate,
            platform: self.platform.clone(),
            execution_role: self.execution_role.clone(),
            task_role: self.task_role.clone(),
            secrets: self.secrets_from.clone(),
            mounts: self.volume.clone(),
            memory: self.memory,
            cpu: self.cpu,
        }
    }
}

impl HostArgs {
    /// The first of these that was given.
    fn given(&self) -> Option<&'static str> {
        let all = [
            ("architecture", self.architecture.is_some()),
            ("instance-type", self.instance_type.is_some()),
            ("cluster", self.cluster.is_some()),
            ("instance-profile", self.instance_profile.is_some()),
        ];
        all.into_iter().find(|(_, is_given)| *is_given).map(|(flag, _)| flag)
    }

    fn wishes(&self) -> HostWishes {
        HostWishes {
            architecture: self.architecture,
            instance_type: self.instance_type.clone(),
            cluster: self.cluster.clone(),
            instance_profile: self.instance_profile.clone(),
        }
    }
}
