# How the variables of variables.tf are used: an ECS task and a launch template for its hosts.

locals {
  kibana = var.elkbake_images["kibana"]
}

resource "aws_ecs_task_definition" "kibana" {
  family             = "kibana"
  network_mode       = local.kibana.needs.network_mode
  execution_role_arn = aws_iam_role.execution.arn

  container_definitions = jsonencode([{
    name              = "kibana"
    image             = local.kibana.image # by digest: a plan shows a change only where the image is another one
    essential         = true
    memory            = local.kibana.needs.memory
    memoryReservation = local.kibana.needs.memory_reservation
    stopTimeout       = local.kibana.needs.stop_timeout
    environment = [
      { name = "ES_ADDRESS", value = var.elasticsearch_address },
      { name = "KIBANA_PUBLIC_URL", value = var.kibana_url },
    ]
    secrets = [for name in local.kibana.needs.secrets : {
      name      = name
      valueFrom = "/elkbake/production/kibana/${name}"
    }]
    ulimits = [for name, limit in local.kibana.needs.ulimits : {
      name      = name
      softLimit = limit.soft
      hardLimit = limit.hard
    }]
    healthCheck = local.kibana.needs.health_check == null ? null : {
      command     = local.kibana.needs.health_check.command
      interval    = local.kibana.needs.health_check.interval
      timeout     = local.kibana.needs.health_check.timeout
      retries     = local.kibana.needs.health_check.retries
      startPeriod = local.kibana.needs.health_check.start_period
    }
  }])
}

# Or all of it as elkbake says it, mounts, tmpfs and FireLens included:
#
#   elkbake export --format ecs kibana fluent-bit --execution-role "$ROLE" > kibana.json
#
# resource "aws_ecs_task_definition" "kibana" {
#   family                = "kibana"
#   container_definitions = jsonencode(jsondecode(file("kibana.json")).containerDefinitions)
#   ...
# }

# A module takes the values in the same way:
#
# module "kibana" {
#   source  = "terraform-aws-modules/ecs/aws//modules/service"
#   name    = "kibana"
#   ...
#   container_definitions = {
#     kibana = {
#       image  = var.elkbake_images["kibana"].image
#       memory = var.elkbake_images["kibana"].needs.memory
#     }
#   }
# }

resource "aws_launch_template" "hosts" {
  name_prefix   = "elk-"
  instance_type = "r6g.xlarge"
  image_id      = var.elkbake_amis["ecs-host"].ids[var.region]["arm64"]
}
