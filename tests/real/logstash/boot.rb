# Starts Bundler in an image as Logstash does, and loads code by the names of gems: boot.rb HOME BUNDLE NAME...
require_relative "java"

home, bundle, *names = ARGV
bundler(home, bundle)
Bundler.settings.temporary(:frozen => true, :without => [:build, :development]) do
  before = File.read("Gemfile.lock")
  Bundler.definition.ensure_equivalent_gemfile_and_lockfile(true)
  Bundler.setup
  raise "the lock was changed" unless File.read("Gemfile.lock") == before
  raise "something is missing: #{Bundler.definition.missing_specs}" if Bundler.definition.missing_specs?
end
names.each do |name|
  require name
  spec = Gem.loaded_specs.fetch(name)
  unpacked = spec.files.all? { |file| File.file?(File.join(spec.full_gem_path, file)) }
  puts "#{name} #{Object.const_get(name.tr("-", "_").upcase)} #{unpacked ? "whole" : "in part"}"
end
