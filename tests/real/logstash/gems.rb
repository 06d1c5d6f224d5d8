# Makes up specifications, and says of each what RubyGems writes into a gem and beside an installed one:
# gems.rb SEED NUMBER
require_relative "java"
require "json"
require "psych"

srand(Integer(ARGV.fetch(0)))

TEXTS = [
  "plain", "two words", "", " leading", "trailing ", "a: b", "a #b", "# c", "- d", "? e", "! f", "& g", "* h", "| i", "> j",
  "'single'", "\"double\"", "back\\slash", "tab\there", "line\nbreak", "two\n\nbreaks\n", "three\n\n\nbreaks\n\n", "\nfirst", " \n x",
  "yes", "no", "null", "~", "true", "1", "1.0", "0x1f", "2024-01-31", ":symbol", "12:30:45", "é", "日本語", "😀", "a\u00a0b", "\e\u2028\u2029\u0085",
  "\#{1}", "\#$x", "%q<x>", "`ls`", "{a: 1}", "[1]", "@x", "%x", "a, b", "x" * 100, "word " * 40, "w: " * 40, "é " * 60,
  "  indented\n    more\n  back", "a\n  b\nc\n", "\tt\n", "ends with colon:", "\e[0m", "\x7f", "\a\b\v\f\r", "---", "... ", "=", "<<",
  ("long line " * 12) + "\n" + ("another " * 15), "trailing spaces  \nnext  \n", "\"" * 90, "'" * 90, "a" * 70 + " \\ " + "b" * 70, "x" * 79 + "  " + "y" * 20,
]

def text
  return TEXTS.sample if rand < 0.6
  alphabet = ["a", "b", " ", " ", ":", "#", "-", "'", "\"", "\\", "\n", "\t", "é", ",", "[", "{", "%", "word", "another "]
  Array.new(rand(40)) { alphabet.sample }.join
end

def version
  ["0", "1.0", "1.2.3", "2.0.0.pre1", "1.10.a", "0.0.1", "20240101"].sample
end

def requirement
  Array.new(1 + rand(2)) { "#{["=", "!=", ">", "<", ">=", "<=", "~>"].sample} #{version}" }
end

def made(number)
  Gem::Specification.new do |s|
    s.name = "logstash-output-made#{number}"
    s.version = version
    s.platform = "java" if rand < 0.5
    s.summary = text
    s.description = text if rand < 0.8
    s.authors = Array.new(rand(3)) { text }
    s.email = [text, [text, text]].sample if rand < 0.7
    s.homepage = text if rand < 0.5
    s.licenses = [text] if rand < 0.5
    s.date = "2024-02-29"
    s.files = Array.new(rand(5)) { |i| "lib/#{i}#{text.gsub(/[\/\0]/, "_")}.rb" }
    s.test_files = ["spec/x_spec.rb"] if rand < 0.3
    s.executables = ["run"] if rand < 0.3
    s.bindir = "exe" if rand < 0.3
    s.require_paths = [["lib"], ["lib", "vendor/jar-dependencies"]].sample
    s.extra_rdoc_files = ["README.md"] if rand < 0.3
    s.rdoc_options = ["--title", text] if rand < 0.3
    s.requirements = ["jar org.x:y, 1.0"] if rand < 0.3
    s.required_ruby_version = requirement if rand < 0.3
    s.required_rubygems_version = requirement if rand < 0.3
    s.post_install_message = text if rand < 0.3
    s.metadata = { "logstash_plugin" => "true", "b" => text, "a" => "c" } if rand < 0.7
    rand(4).times { |i| s.add_runtime_dependency("need-#{i}", *requirement) }
    s.add_development_dependency("dev", *requirement) if rand < 0.5
  end
end

made = Array.new(Integer(ARGV.fetch(1))) do |number|
  # A gem is read from YAML as it is installed, so that what YAML makes of it counts.
  yaml = made(number).to_yaml
  spec = Gem::Specification.from_yaml(yaml)
  { "yaml" => yaml, "ruby" => beside(spec) }
end
puts JSON.generate(made)
