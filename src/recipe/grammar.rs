//! What the short texts in recipes look like. Each is one rule: in words for people, as a pattern for editors,
//! and as the check that decides.

use crate::text::grammar;

grammar! {
    /// A port that a container listens on.
    Port = "port", "^[0-9]{1,5}(/(tcp|udp))?$", "it is a number from 1 to 65535, perhaps with `/tcp` or `/udp`", |text| {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        matches!(protocol, "tcp" | "udp") && is_number(number, 1, 65535)
    };

    /// The name of an environment variable.
    EnvName = "environment variable", "^[^=]+$", "its name is not empty and holds no `=`", |text| {
        !text.is_empty() && !text.contains('=')
    };

    /// A user in a container.
    User = "user", "^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$",
    "it is a name or number, perhaps with `:` and a group", |text| {
        let (user, group) = text.split_once(':').unwrap_or((text, "0"));
        [user, group].iter().all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c))
        })
    };

    /// A signal.
    Signal = "signal", "^(SIG[A-Z0-9]+([+-][0-9]+)?|[0-9]{1,2})$", "it is a name such as `SIGTERM`, or a number from 1 to 64", |text| {
        let of = |text: &str, start: &str| text.strip_prefix(start).is_some_and(|rest| is_number(rest, 1, 15));
        match text.strip_prefix("SIG") {
            Some(name) => SIGNALS.contains(&name) || of(name, "RTMIN+") || of(name, "RTMAX-"),
            None => is_number(text, 1, 64),
        }
    };

    /// Coordinates in a Maven repository.
    Maven = "Maven coordinate", "^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+){2,3}$",
    "it is `GROUP:ARTIFACT:VERSION`, perhaps with `:CLASSIFIER`", |text| {
        let parts: Vec<_> = text.split(':').collect();
        let is_part = |part: &&str| {
            // They become parts of a URL's path.
            !part.is_empty() && !matches!(*part, "." | "..") && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c))
        };
        matches!(parts.len(), 3 | 4) && parts.iter().all(is_part)
    };

    /// The network of a command.
    RunNetwork = "network of a command", "^(none|host)$", "it is `none` or `host`", |text| matches!(text, "none" | "host");

    /// A kernel setting.
    SysctlKey = "kernel setting", "^[a-z0-9_]+(\\.[a-z0-9_*-]+)+$", "it looks like `vm.max_map_count`", |text| {
        let mut parts = text.split('.');
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        parts.next().is_some_and(|first| !first.is_empty() && first.bytes().all(plain))
            && text.contains('.')
            && parts.all(|part| !part.is_empty() && part.bytes().all(|c| plain(c) || c == b'*' || c == b'-'))
    };

    /// A setting of the ECS agent.
    EcsKey = "setting of the ECS agent", "^ECS_[A-Z0-9_]+$", "it looks like `ECS_RESERVED_MEMORY`", |text| {
        text.strip_prefix("ECS_").is_some_and(|rest| {
            !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
        })
    };

    /// A limit of a process, as Docker and ECS name it.
    UlimitName = "limit", "^(core|cpu|data|fsize|locks|memlock|msgqueue|nice|nofile|nproc|rss|rtprio|rttime|sigpending|stack)$",
    "ECS knows core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending and stack",
    |text| ULIMITS.contains(&text);

    /// An AWS account.
    Account = "AWS account", "^[0-9]{12}$", "it has 12 digits", is_account;

    /// Who may own a base image.
    AmiOwner = "owner of an AMI", "^([0-9]{12}|amazon|aws-marketplace|self)$",
    "it is an account's 12 digits, `amazon`, `aws-marketplace` or `self`", |text| {
        is_account(text) || matches!(text, "amazon" | "aws-marketplace" | "self")
    };

    /// An organisation or organisational unit.
    Organization = "organisation", "^arn:aws[a-z-]*:organizations::[0-9]{12}:(organization|ou)/.+$",
    "it is an ARN, `arn:aws:organizations::ACCOUNT:organization/…` or `…:ou/…`", |text| {
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, what] = parts[..] else { return false };
        let id = what.strip_prefix("organization/").or_else(|| what.strip_prefix("ou/"));
        arn == "arn"
            && partition.strip_prefix("aws").is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'))
            && (service, region) == ("organizations", "")
            && is_account(account)
            && id.is_some_and(|id| !id.is_empty() && id.bytes().all(|c| c.is_ascii_graphic()))
    };

    /// A type of EC2 instances.
    InstanceType = "instance type", "^[a-z0-9-]+\\.[a-z0-9-]+$", "it looks like `i4i.xlarge`", |text| {
        text.split_once('.').is_some_and(|(family, size)| is_lower(family) && is_lower(size))
    };

    /// A device in a block device mapping.
    Device = "device name", "^/dev/(sd[a-z]|xvd[a-z]{1,2})[0-9]{0,2}$",
    "it is `/dev/sdb` or `/dev/xvdb` as EC2 maps it, whatever the host then calls it", |text| {
        let rest = text.strip_prefix("/dev/").unwrap_or_default();
        let name = rest.trim_end_matches(|c: char| c.is_ascii_digit());
        let letters = |start: &str, most: usize| {
            name.strip_prefix(start).is_some_and(|l| (1..=most).contains(&l.len()) && l.bytes().all(|c| c.is_ascii_lowercase()))
        };
        rest.len() - name.len() <= 2 && (letters("sd", 1) || letters("xvd", 2))
    };

    /// An AMI.
    AmiId = "AMI id", "^ami-[0-9a-f]{8,17}$", "it is `ami-` and 8 to 17 hex digits", |text| is_id(text, "ami-");


    /// A unit of systemd.
    Unit = "unit", "^[A-Za-z0-9:_.@-]+\\.(service|socket|target|timer|path|mount)$", "it is a name with its kind, as in `sshd.service`", |text| {
        text.rsplit_once('.').is_some_and(|(name, kind)| {
            let plain = |c: u8| c.is_ascii_alphanumeric() || b":_.@-".contains(&c);
            !name.is_empty() && name.bytes().all(plain) && matches!(kind, "service" | "socket" | "target" | "timer" | "path" | "mount")
        })
    };

    /// A user or group of a host.
    UserName = "name of a user", "^[a-z_][a-z0-9_-]{0,30}$", "it has up to 31 lower-case letters, digits, `_` and `-`", |text| {
        text.len() <= 31
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"_-".contains(&c))
    };

    /// A setting of the journal.
    JournalKey = "setting of the journal", "^[A-Z][A-Za-z]*$", "it looks like `SystemMaxUse`", |text| {
        text.starts_with(|c: char| c.is_ascii_uppercase()) && text.bytes().all(|c| c.is_ascii_alphabetic())
    };

    /// Ports of a host.
    PortRange = "range of ports", "^[0-9]{1,5}(-[0-9]{1,5})?$", "it is a port, or two with `-` between, as in `9300-9305`", |text| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let ordered = || first.parse::<u32>().ok() <= last.parse::<u32>().ok();
        is_number(first, 1, 65535) && is_number(last, 1, 65535) && ordered()
    };

    /// Where packets come from.
    Traffic = "source of packets", "^(subnet|any|[0-9a-f.:]+/[0-9]{1,3})$",
    "it is `subnet`, `any`, or a network such as `10.0.0.0/16`", |text| {
        let network = |text: &str| {
            let (address, bits) = text.split_once('/')?;
            let most = if address.parse::<std::net::Ipv4Addr>().is_ok() {
                32
            } else if address.parse::<std::net::Ipv6Addr>().is_ok() {
                128
            } else {
                return None;
            };
            Some(bits == "0" || is_number(bits, 1, most))
        };
        matches!(text, "subnet" | "any") || network(text) == Some(true)
    };

    /// A subnet.
    SubnetId = "subnet", "^subnet-[0-9a-f]{8,17}$", "it is `subnet-` and 8 to 17 hex digits", |text| is_id(text, "subnet-");

    /// A security group.
    SecurityGroupId = "security group", "^sg-[0-9a-f]{8,17}$", "it is `sg-` and 8 to 17 hex digits", |text| is_id(text, "sg-");

    /// A role.
    RoleArn = "role", "^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", "it is an ARN, `arn:aws:iam::ACCOUNT:role/NAME`", |text| {
        arn(text, "iam").is_some_and(|(account, what)| {
            is_account(account) && what.strip_prefix("role/").is_some_and(|name| !name.is_empty())
        })
    };

    /// A key of KMS.
    KmsKey = "KMS key", "^(arn:aws[a-z-]*:kms:.+|alias/.+|[0-9a-f-]{36}|mrk-[0-9a-f]{32})$",
    "it is a key's id, its ARN, or `alias/NAME`", |text| {
        let id = |text: &str| text.len() == 36 && text.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
        text.strip_prefix("alias/").is_some_and(|name| !name.is_empty())
            || id(text)
            || text.strip_prefix("mrk-").is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|c| c.is_ascii_hexdigit()))
            || arn(text, "kms").is_some()
    };

    /// A place in a JSON document, as RFC 6901 has it.
    JsonPointer = "JSON pointer", "^/", "it begins with a slash, as in `/hits/total/value`", |text| text.starts_with('/');

    /// Who logs in, and the variable that the password is in.
    Login = "login", "^[^:]+:[A-Za-z_][A-Za-z0-9_]*$", "it is `NAME:VARIABLE`, as in `elastic:ELASTIC_PASSWORD`", |text| {
        text.split_once(':').is_some_and(|(name, variable)| {
            let is_letter = |c: u8| c.is_ascii_alphabetic() || c == b'_';
            let rest = |c: u8| is_letter(c) || c.is_ascii_digit();
            !name.is_empty() && variable.bytes().next().is_some_and(is_letter) && variable.bytes().all(rest)
        })
    };

    /// An SSM parameter.
    Parameter = "SSM parameter", "^/[A-Za-z0-9_./-]{1,1010}$", "it is a path: `/`, then letters, digits, `_`, `.`, `-` and `/`", |text| {
        let rest = text.strip_prefix('/').unwrap_or_default();
        rest.len() <= 1010
            && rest.split('/').all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c)))
    };
}

const SIGNALS: [&str; 36] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "IOT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
    "WINCH", "IO", "POLL", "PWR", "SYS", "RTMIN", "RTMAX",
];

const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

fn is_number(text: &str, least: u32, most: u32) -> bool {
    let plain =
        !text.is_empty() && text.len() <= 5 && !text.starts_with('0') && text.bytes().all(|c| c.is_ascii_digit());
    plain && text.parse().is_ok_and(|number: u32| (least..=most).contains(&number))
}

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|c| c.is_ascii_digit())
}

/// Account and resource of an ARN of a service.
pub(crate) fn arn<'t>(text: &'t str, service: &str) -> Option<(&'t str, &'t str)> {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, partition, of, _region, account, what] = parts[..] else { return None };
    let is_partition =
        partition.strip_prefix("aws").is_some_and(|rest| rest.bytes().all(|c| c.is_ascii_lowercase() || c == b'-'));
    (arn == "arn" && is_partition && of == service).then_some((account, what))
}

/// Whether a text is the id of a thing in EC2.
fn is_id(text: &str, start: &str) -> bool {
    text.strip_prefix(start)
        .is_some_and(|id| (8..=17).contains(&id.len()) && id.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')))
}

fn is_lower(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Grammar;
    use crate::text::{Read, Text};

    /// The rule decides, and the pattern in the schema refuses nothing that the rule takes.
    fn corpus<G: Grammar>(right: &[&str], wrong: &[&str]) {
        let schema = Text::<G>::schema();
        for text in right {
            assert!(text.parse::<Text<G>>().is_ok(), "{} `{text}`", G::KIND);
            assert!(jsonschema::is_valid(&schema, &(*text).into()), "{} `{text}`", G::PATTERN);
        }
        for text in wrong.iter().chain(&["", "\0", "\n"]) {
            if G::KIND == "environment variable" && *text == "\n" {
                continue;
            }
            let error = text.parse::<Text<G>>().err().unwrap_or_else(|| panic!("{} `{text}`", G::KIND)).to_string();
            assert!(error.contains(G::RULE), "{error}");
        }
    }

    #[test]
    fn of_containers() {
        corpus::<Port>(
            &["1", "9200", "9200/tcp", "514/udp", "65535"],
            &["0", "65536", "09", "tcp", "9200/", "9200/sctp", "-1", "+1", "9200:9200", "9200-9300"],
        );
        corpus::<EnvName>(&["A", "ES_JAVA_OPTS", "discovery.type", "a b"], &["=", "A=B", "=A"]);
        corpus::<User>(&["elasticsearch", "1000", "1000:0", "a:b-c.d"], &[":", "1000:", ":0", "a b", "-a", "1:2:3"]);
        corpus::<Signal>(
            &["SIGTERM", "SIGRTMIN+3", "SIGRTMAX-15", "1", "64"],
            &["SIGTREM", "TERM", "sigterm", "0", "65", "SIG", "SIGRTMIN+16", "SIGRTMIN+"],
        );
        corpus::<Maven>(
            &["org.a:b:1.0", "a:b:1:c"],
            &["a", "a:b", "a::1", "a:b:1:c:d", "a:b:../x", "..:a:1", "a b:c:1"],
        );
        corpus::<RunNetwork>(&["none", "host"], &["bridge", "NONE"]);
        corpus::<UlimitName>(&["nofile", "memlock"], &["nofiles", "NOFILE"]);
    }

    #[test]
    fn of_hosts() {
        corpus::<SysctlKey>(
            &["vm.max_map_count", "net.ipv4.conf.*.rp_filter", "kernel.a-b.c"],
            &["vm", "vm.", ".a", "vm..a", "VM.a", "vm max", "v-m.a"],
        );
        corpus::<EcsKey>(&["ECS_CLUSTER", "ECS_A1"], &["ECS_", "CLUSTER", "ecs_cluster", "ECS-CLUSTER"]);
        corpus::<Account>(&["123456789012"], &["12345678901", "1234567890123", "12345678901a", "1234-5678-9012"]);
        corpus::<AmiOwner>(&["amazon", "self", "123456789012"], &["canonical", "AMAZON"]);
        corpus::<Organization>(
            &[
                "arn:aws:organizations::123456789012:organization/o-abc",
                "arn:aws-cn:organizations::123456789012:ou/o-abc/ou-x",
            ],
            &[
                "o-abc",
                "arn:aws:iam::123456789012:root",
                "arn:aws:organizations::123456789012:ou/",
                "arn:aws:organizations::1:ou/x",
            ],
        );
        corpus::<InstanceType>(
            &["i4i.xlarge", "u-6tb1.metal", "m7a.metal-48xl"],
            &["xlarge", "i4i.", ".xlarge", "I4I.xlarge", "i4i.x.y"],
        );
        corpus::<Device>(
            &["/dev/sdb", "/dev/xvdf", "/dev/xvdba", "/dev/sda1"],
            &["/dev/nvme1n1", "xvdb", "/dev/sdbb", "/dev/xvd", "/dev/sd1", "/dev/sda123"],
        );
        corpus::<AmiId>(
            &["ami-12345678", "ami-0123456789abcdef0"],
            &["ami-", "ami-1234567", "ami-0123456789abcdef01", "ami-ABCDEF01", "i-12345678"],
        );
        corpus::<Unit>(&["sshd.service", "a@b.timer"], &["sshd", ".service", "a b.service", "a.exe"]);
        corpus::<UserName>(&["elastic", "_a-b"], &["Elastic", "1a", "a b"]);
        corpus::<JournalKey>(&["SystemMaxUse"], &["systemMaxUse", "System-Max", "A=1"]);
        corpus::<PortRange>(&["9200", "9300-9305"], &["0", "9305-9300", "9300-", "a"]);
        corpus::<Traffic>(
            &["subnet", "any", "10.0.0.0/16", "fd00::/8", "0.0.0.0/0"],
            &["10.0.0.0", "10.0.0/8", "x/8", "10.0.0.0/33"],
        );
        corpus::<SubnetId>(&["subnet-12345678"], &["subnet-", "sg-12345678"]);
        corpus::<SecurityGroupId>(&["sg-12345678"], &["sg-", "subnet-12345678"]);
        corpus::<Parameter>(
            &["/a", "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"],
            &["a", "/", "/a/", "/a//b", "/a b", "/{arch}"],
        );
    }
}
