# Runs the pipelines to copy as their engines would: each job in a fresh checkout, with a store of its own, and a registry
# that all of them push to. The engines, and AWS's own command, are played by a few lines.
#
#   ruby fleet.rb ELKBAKE PIPELINES REGISTRY FOLDER
require "fileutils"
require "json"
require "open3"
require "yaml"

ELKBAKE, DOCS, REGISTRY, ROOT = ARGV
ENVIRONMENT = {
  "PATH" => "#{ROOT}/bin:/usr/local/bin:/usr/bin:/bin", "HOME" => "#{ROOT}/home", "BUCKETS" => "#{ROOT}/buckets",
  "GIT_AUTHOR_NAME" => "a", "GIT_AUTHOR_EMAIL" => "a@example.com",
  "GIT_COMMITTER_NAME" => "a", "GIT_COMMITTER_EMAIL" => "a@example.com",
}.freeze
AWS = <<~'SCRIPT'
  #!/bin/bash
  set -eu
  path() { case $1 in s3://*) echo "$BUCKETS/${1#s3://}" ;; *) echo "$1" ;; esac; }
  case "$1 $2" in
      "s3 sync")
          from=$(path "$3") to=$(path "$4")
          mkdir -p "$from" "$to"
          case "$*" in
              *--include*) [ ! -f "$from/$8" ] || cp "$from/$8" "$to/" ;;
              *) cp -r "$from/." "$to/" ;;
          esac ;;
      "s3 cp") to=$(path "$4"); mkdir -p "$(dirname "$to")"; cp "$3" "$to" ;;
      "codebuild start-build-batch")
          for word; do [[ $word != file://* ]] || cp "${word#file://}" "$BUCKETS/batch.yml"; done ;;
      *) echo "aws: $*" >&2; exit 9 ;;
  esac
SCRIPT

def shell(folder, commands, env = {})
  script = "set -e\n#{Array(commands).join("\n")}\n"
  out, status = Open3.capture2e(ENVIRONMENT.merge(env), "bash", "-c", script, chdir: folder, unsetenv_others: true)
  raise "#{folder}: #{script}\n#{out}" unless status.success?

  out
end

def checkout
  @jobs = @jobs.to_i + 1
  shell(ROOT, "git clone -q origin.git #{@name}-job#{@jobs}")
  ["#{ROOT}/#{@name}-job#{@jobs}", { "ELKBAKE_STORE" => "#{ROOT}/#{@name}-store#{@jobs}" }]
end

# A project of three recipes, one of which builds on another; what is baked of it is the engine's own.
def project(name)
  @name = name
  FileUtils.rm_rf(%w[origin.git dev buckets].map { |folder| "#{ROOT}/#{folder}" })
  FileUtils.mkdir_p(["#{ROOT}/buckets", "#{ROOT}/home"])
  shell(ROOT, "git init -q --bare --initial-branch=main origin.git; git clone -q origin.git dev 2>&1")
  scratch = "kind = \"image\"\nproduct = \"generic\"\nversion = \"1\"\nfrom = \"scratch\"\n"
  { "base" => scratch, "app" => scratch.sub("scratch", "recipe:base"), "free" => scratch }.each do |recipe, text|
    FileUtils.mkdir_p(["#{ROOT}/dev/recipes", "#{ROOT}/dev/images/#{recipe}/etc"])
    File.write("#{ROOT}/dev/recipes/#{recipe}.toml", text)
    File.write("#{ROOT}/dev/images/#{recipe}/etc/#{recipe}", name)
  end
  target = "[target.prod]\nregistry = \"#{REGISTRY}/#{name}\"\nmanifest = \"prod.json\"\n"
  File.write("#{ROOT}/dev/elkbake.toml", target)
  FileUtils.mkdir_p("#{ROOT}/dev/.gitlab")
  FileUtils.cp("#{DOCS}/gitlab/elkbake-jobs.yml", "#{ROOT}/dev/.gitlab/")
  shell("#{ROOT}/dev", "elkbake lock && git add . && git commit -qm begin && git push -q origin HEAD:main")
end

def change(recipe)
  File.write("#{ROOT}/dev/images/#{recipe}/etc/#{recipe}", "more", mode: "a")
  shell("#{ROOT}/dev", "git add .; git commit -qm more; git pull -q --rebase origin main; git push -q origin HEAD:main")
end

def codebuild
  FileUtils.rm_f("#{ROOT}/buckets/batch.yml")
  always = { "ELKBAKE_BUCKET" => "b", "ELKBAKE_BATCH" => "elkbake-push",
             "CODEBUILD_RESOLVED_SOURCE_VERSION" => shell("#{ROOT}/dev", "git rev-parse HEAD").strip }
  build = lambda do |file, more|
    spec = YAML.load_file("#{DOCS}/codebuild/#{file}")
    commands = %w[install pre_build build post_build].flat_map { |phase| spec["phases"].dig(phase, "commands").to_a }
    folder, store = checkout
    shell(folder, commands, spec["env"]["variables"].merge(always, more, store))
  end
  build.call("buildspec.yml", {})
  return [] unless File.exist?("#{ROOT}/buckets/batch.yml")

  graph = YAML.load_file("#{ROOT}/buckets/batch.yml")["batch"]["build-graph"]
  graph.filter_map do |task|
    variables = task["env"]["variables"]
    build.call(task["buildspec"], variables.merge("CODEBUILD_BATCH_BUILD_IDENTIFIER" => task["identifier"]))
    variables["ELKBAKE_RECIPES"]
  end
end

def gitlab
  folder, store = checkout
  shell(folder, YAML.load_file("#{DOCS}/gitlab/.gitlab-ci.yml")["check"]["script"], store.merge("TARGET" => "prod"))
  child = YAML.load_file("#{folder}/stale.yml")
  kept = "#{ROOT}/kept"
  FileUtils.rm_rf(kept)
  FileUtils.mkdir_p("#{kept}/records")
  whole = lambda do |job|
    below = job["extends"] ? whole.call(child.fetch(job["extends"])) : {}
    below.merge(job) { |_, old, new| new.is_a?(Hash) ? old.merge(new) : new }
  end
  jobs = child.select { |name, job| job.is_a?(Hash) && !name.start_with?(".") }.values.map(&whole)
  jobs.sort_by { |job| child["stages"].to_a.index(job["stage"]) || 0 }.filter_map do |job|
    folder, store = checkout
    env = { "CI_JOB_ID" => @jobs.to_s, "CI_BUILDS_DIR" => ROOT, "CI_COMMIT_BRANCH" => "main", "AWS_TOKEN" => "t",
            "CI_SERVER_HOST" => "gitlab.test", "CI_PROJECT_PATH" => "g/p", "ELKBAKE_PUSH_TOKEN" => "secret" }
    env = job["variables"].merge(env, store)
    shell(folder, "git checkout -q --detach; cp -r #{kept}/records .") if job["stage"] == "record"
    address = "https://elkbake:secret@gitlab.test/g/p.git"
    shell(folder, "git config url.#{ROOT}/origin.git.insteadOf #{address}")
    shell(folder, job["before_script"].to_a + job["script"], env)
    shell(folder, job["after_script"] + ["cp records/* #{kept}/records/"], env) if job["after_script"]
    env["ELKBAKE_RECIPES"]
  end
end

def github
  jobs = YAML.load_file("#{DOCS}/github/images.yml")["jobs"]
  run = lambda do |job, folder, env|
    jobs[job]["steps"].filter_map { |step| step["run"] }.each { |script| shell(folder, script, env) }
  end
  always = { "TARGET" => "prod", "MANIFEST" => "prod.json", "GITHUB_OUTPUT" => "#{ROOT}/output" }
  FileUtils.rm_f("#{ROOT}/output")
  folder, store = checkout
  run.call("check", folder, always.merge(store))
  matrix = JSON.parse(File.read("#{ROOT}/output").delete_prefix("matrix="))["include"]
  records = matrix.map do |entry|
    folder, store = checkout
    run.call("push", folder, always.merge(store, "RECIPES" => entry["recipes"]))
    "#{folder}/prod.json"
  end
  return [] if records.empty?

  folder, store = checkout
  records.each_with_index do |record, i|
    FileUtils.mkdir_p("#{folder}/records/records-#{i}")
    FileUtils.cp(record, "#{folder}/records/records-#{i}/prod.json")
  end
  run.call("record", folder, always.merge(store))
  matrix.map { |entry| entry["recipes"] }
end

def expect(what, found, expected)
  raise "#{@name}: #{what}: #{found.inspect}, not #{expected.inspect}" unless found == expected
end

FileUtils.mkdir_p("#{ROOT}/bin")
File.write("#{ROOT}/bin/aws", AWS)
File.chmod(0o755, "#{ROOT}/bin/aws")
FileUtils.ln_s(ELKBAKE, "#{ROOT}/bin/elkbake")
{ "codebuild" => method(:codebuild), "gitlab" => method(:gitlab), "github" => method(:github) }.each do |name, run|
  project(name)
  expect("at first", run.call, ["base app", "free"])
  expect("nothing is stale", run.call, [])
  change("app")
  expect("what was changed", run.call, ["app"])
  change("base")
  expect("and what builds on it", run.call, ["base app"])
  expect("nothing is stale again", run.call, [])
  shell("#{ROOT}/dev", name == "codebuild" ? "cp ../buckets/b/current/prod.json ." : "git pull -q origin main")
  recipes = JSON.parse(File.read("#{ROOT}/dev/prod.json"))["recipes"]
  expect("history", recipes.transform_values { |entry| entry["history"].size }, { "app" => 2, "base" => 1, "free" => 0 })
  expect("sources", recipes.values.map { |entry| entry["current"]["source"]["dirty"] }.uniq, [false])
  recipes.each_value { |entry| puts entry["current"]["reference"] }
end
