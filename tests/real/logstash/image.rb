# Makes gems, and of some of them what a Logstash image has: its folder, its Gemfile, and the lock of Bundler's own.
# image.rb HOME GEMS
require_relative "java"
require "fileutils"
require "rbconfig"
require "rubygems/installer"
require "rubygems/package"
Gem::DefaultUserInteraction.ui = Gem::SilentUI.new

HOME = File.expand_path(ARGV.fetch(0))
GEMS = File.expand_path(ARGV.fetch(1))
BUNDLE = File.join(HOME, "vendor/bundle/jruby", RbConfig::CONFIG["ruby_version"])

def specification(name, version, needs, java: false)
  Gem::Specification.new do |s|
    s.name = name
    s.version = version
    s.platform = "java" if java
    s.summary = "#{name} for tests"
    s.authors = ["Zoë"]
    s.homepage = "http://example.com"
    s.licenses = ["MIT"]
    s.date = "2024-02-29"
    s.metadata = { "logstash_plugin" => "true" } if name.start_with?("logstash-")
    needs.each { |need, *wanted| s.add_runtime_dependency(need, *wanted) }
    s.add_development_dependency("logstash-devutils")
    yield s if block_given?
  end
end

def packed(name, version, needs, java: false)
  FileUtils.mkdir_p(GEMS)
  Dir.chdir(GEMS) do
    FileUtils.mkdir_p(["lib", "bin"])
    File.write("lib/#{name}.rb", "#{name.tr("-", "_").upcase} = #{version.dump}\n")
    File.write("bin/#{name}", "#!/usr/bin/env ruby\n")
    File.chmod(0o755, "bin/#{name}")
    spec = specification(name, version, needs, java: java) { |s| s.files = ["lib/#{name}.rb", "bin/#{name}"] }
    File.join(GEMS, Gem::Package.build(spec, true))
  end
end

def installed(*gem, **more)
  options = { install_dir: BUNDLE, ignore_dependencies: true, force: true, document: [], wrappers: false }
  Gem::Installer.at(packed(*gem, **more), **options).install
end

def local(name, version, needs)
  folder = File.join(HOME, name)
  FileUtils.mkdir_p(File.join(folder, "lib"))
  File.write(File.join(folder, "lib/#{name}.rb"), "")
  File.write(File.join(folder, "#{name}.gemspec"), specification(name, version, needs, java: true).to_ruby)
end

FileUtils.mkdir_p(BUNDLE)
local("logstash-core", "9.2.0", [["stud", "~> 0.0.19"]])
local("logstash-core-plugin-api", "2.1.16", [["logstash-core", "= 9.2.0"]])
ON_JAVA = { java: true }
[
  ["stud", "0.0.23", []],
  ["manticore", "0.9.1", [["openssl_pkcs8_pure"]], ON_JAVA],
  ["openssl_pkcs8_pure", "0.0.0.2", []],
  ["concurrent-ruby", "1.1.9", []],
  ["logstash-codec-plain", "3.1.0", [["logstash-core-plugin-api", ">= 1.60", "<= 2.99"]]],
  ["logstash-input-tcp", "7.0.0", [["logstash-core-plugin-api", ">= 1.60", "<= 2.99"], ["logstash-codec-plain"]], ON_JAVA],
].each { |name, version, needs, java| installed(name, version, needs, **(java || {})) }

# The packages that are put into the image: an offline pack, and a gem that builds on it.
plain = [["logstash-core-plugin-api", ">= 1.60", "<= 2.99"], ["logstash-codec-plain"]]
packed("logstash-output-made", "2.0.0.pre1", plain + [["manticore", ">= 0.8", "< 1"], ["made-helper", "~> 1.2"], ["stud"]], java: true)
packed("made-helper", "1.2.10", [["made-deeper", "!= 3", ">= 2.a"], ["concurrent-ruby", "~> 1.0"]])
packed("made-deeper", "3.1", [], java: true)
packed("concurrent-ruby", "1.3.5", [])
packed("stud", "0.0.23", [])
packed("logstash-filter-alone", "0.1", [["logstash-core-plugin-api", "~> 2.0"], ["made-helper", "~> 1"]])

File.write(File.join(HOME, "Gemfile"), <<~GEMFILE)
  # This is a Logstash generated Gemfile.
  # If you modify this file manually all comments and formatting will be lost.

  source "https://rubygems.org"
  gem "logstash-core", :path => "./logstash-core"
  gem "logstash-core-plugin-api", :path => "./logstash-core-plugin-api"
  gem "concurrent-ruby", "~> 1", "< 1.2", :require => false
  gem "logstash-input-tcp", ">= 6"
  gem "manticore"
GEMFILE
lock(HOME, BUNDLE)
