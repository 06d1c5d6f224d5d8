# Says of each file with a specification whether RubyGems reads of it what the YAML beside it says: same.rb FOLDER
require "rubygems"

Dir[File.join(ARGV.fetch(0), "*.gemspec")].sort.each do |file|
  spec = Gem::Specification.load(file) or abort("#{file} is no specification")
  gem = Gem::Specification.from_yaml(File.read(file.sub(/gemspec\z/, "yaml")))
  gem.test_files = nil
  (Gem::Specification.attribute_names - [:test_files]).each do |name|
    left, right = [spec, gem].map { |s| s.send(name) }
    abort("#{file}: #{name}: #{left.inspect} is not #{right.inspect}") unless left == right
  end
  puts file
end
