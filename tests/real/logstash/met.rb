# Makes up requirements and versions, and says which go together: met.rb SEED NUMBER
require "rubygems"
require "json"

srand(Integer(ARGV.fetch(0)))

def version
  parts = Array.new(1 + rand(4)) { ["0", "0", "1", "2", "9", "10", "99", "007", "a", "b1", "pre2", "1a2", "RC", "99999999999999999999"].sample }
  parts.unshift(rand(3).to_s).join(".") + ["", "", "", "-rc1", "-2-x"].sample
end

made = Array.new(Integer(ARGV.fetch(1))) do
  wanted = Array.new(1 + rand(2)) { ["", "=", "!=", ">", "<", ">=", "<=", "~>", " ~> "].sample + ["", " "].sample + version }
  # Often near to what is wanted, or all answers would be no.
  version = rand < 0.6 ? wanted.sample[/[0-9].*/].sub(/[0-9]+/) { |n| (n.to_i + rand(2)).to_s } + ["", ".0", ".1", ".a"].sample : version()
  next unless Gem::Version.correct?(version)
  dependency = Gem::Dependency.new("a", *wanted)
  spec = Gem::Specification.new("a", version)
  [wanted.join(", "), version, dependency.matches_spec?(spec), dependency.requirement.satisfied_by?(spec.version)]
end
puts JSON.generate(made.compact)
