# Bundler as Logstash uses it: for JRuby's platform, whatever Ruby runs this.
require "rubygems"

unless RUBY_ENGINE == "jruby"
  Gem::Platform.instance_variable_set(:@local, Gem::Platform.new("java"))
  Gem.platforms = [Gem::Platform::RUBY, Gem::Platform.new("java")]
end

def bundler(home, bundle)
  ENV["GEM_HOME"] = ENV["GEM_PATH"] = bundle
  ENV["BUNDLE_GEMFILE"] = File.join(home, "Gemfile")
  Gem.clear_paths
  Gem.paths = ENV
  Dir.chdir(home)
  require "bundler"
  Bundler.ui = Bundler::UI::Silent.new
end

# Lets Bundler resolve a Gemfile with the gems that are there, as Logstash does when it installs a pack.
def lock(home, bundle)
  bundler(home, bundle)
  Gem::Specification.reset
  Bundler.reset!
  Bundler.ui = Bundler::UI::Silent.new
  builder = Bundler::Dsl.new
  builder.eval_gemfile("Gemfile", File.read(ENV["BUNDLE_GEMFILE"]))
  lockfile = Pathname.new(File.join(home, "Gemfile.lock"))
  definition = builder.to_definition(lockfile, {})
  java = Gem::Platform.new("java")
  (definition.platforms - [java]).each { |platform| definition.remove_platform(platform) }
  definition.add_platform(java)
  definition.lock(lockfile)
end

# The text that Logstash's installer writes beside a gem: that of RubyGems, with all files but the tests.
def beside(spec)
  kept = spec.dup
  kept.test_files = nil
  kept.to_ruby
end
