# The variables that `elkbake export --format terraform` gives values to, with everything that it says of them. Take
# this file as it is, or leave out attributes that you do not use: Terraform drops what no type asks for.

# Container images, by recipe.
variable "elkbake_images" {
  type = map(object({
    image     = string      # by digest, for a task definition; in the region of --region, or the first
    regions   = map(string) # the same image in each region of ECR; empty for other registries
    digest    = string
    tag       = string      # 8.19.3-0123456789ab
    version   = string      # 8.19.3
    key       = string      # what the image was made of, by digest
    product   = string      # elasticsearch, kibana, logstash, filebeat, fluent-bit or generic
    platforms = map(string) # the digest of the image for linux/amd64, linux/arm64
    created   = string
    pushed_at = string
    base      = object({ name = string, digest = string })
    source    = object({ revision = string, dirty = bool })
    needs = object({
      memory             = number # MiB; null where nothing is said, and so for all that follow
      memory_reservation = number
      cpu                = number # units; 1024 are one processor
      stop_timeout       = number # seconds
      network_mode       = string
      ports              = list(string) # 9200/tcp
      writable           = list(string) # paths that the program writes to
      secrets            = list(string) # names of variables
      sysctls            = map(string)
      ulimits            = map(object({ soft = number, hard = number }))
      health_check = object({
        command      = list(string)
        interval     = number
        timeout      = number
        retries      = number
        start_period = number
      })
    })
  }))
}

# Images of hosts, by recipe.
variable "elkbake_amis" {
  type = map(object({
    ids            = map(map(string)) # by region and processor: ids["eu-west-1"]["arm64"]
    snapshots      = map(map(string)) # of their root disks
    imds_v2        = bool
    instance_types = set(string)
    volumes = list(object({
      device                = string
      kind                  = string
      size                  = number
      iops                  = number
      throughput            = number
      encrypted             = bool
      delete_on_termination = bool
    }))
    tag       = string
    version   = string
    key       = string
    created   = string
    pushed_at = string
    base      = object({ name = string, digest = string })
    source    = object({ revision = string, dirty = bool })
  }))
}
