# Adds packed gems to an image in RubyGems' own way and lets Bundler lock it anew: relock.rb HOME BUNDLE GEM...
require_relative "java"
require "rubygems/package"
require "fileutils"

home, bundle, *gems = ARGV.map { |path| File.expand_path(path) }
gems.each do |file|
  package = Gem::Package.new(file)
  full = package.spec.full_name
  package.extract_files(File.join(bundle, "gems", full))
  FileUtils.mkdir_p(File.join(bundle, "specifications"))
  File.write(File.join(bundle, "specifications", "#{full}.gemspec"), beside(package.spec))
end
lock(home, bundle)
