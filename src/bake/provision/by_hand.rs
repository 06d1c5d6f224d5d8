//! How to make a repository without elkbake: for those whose Terraform owns their repositories.

use serde_json::json;

use crate::bake::port::PortError;

use super::repository::Wanted;

impl Wanted<'_> {
    /// The error of a repository that is not there and that elkbake was told not to make.
    #[must_use]
    pub fn missing(&self) -> PortError {
        PortError::NotFound {
            subject: format!("the repository {} in {} of account {}", self.name, self.region, self.ecr.account),
            message: format!(
                "and `--no-provision` forbids to make it; make it with\n\n{}\n\nor with this of Terraform\n\n{}\n",
                self.command(),
                self.terraform()
            ),
        }
    }

    /// A command of the AWS CLI that makes it as it is declared.
    #[must_use]
    pub fn command(&self) -> String {
        let mutability = self.mutability();
        let mut words = vec![
            "aws ecr create-repository".to_owned(),
            format!("--region {}", self.region),
            format!("--registry-id {}", self.ecr.account),
            format!("--repository-name {}", self.name),
            format!("--image-tag-mutability {}", self.kind_of_mutability()),
        ];
        if !mutability.except.is_empty() {
            let filters = mutability.except.iter().map(|filter| format!("'filterType=WILDCARD,filter={filter}'"));
            words.push(format!("--image-tag-mutability-exclusion-filters {}", filters.collect::<Vec<_>>().join(" ")));
        }
        words.push(format!("--image-scanning-configuration scanOnPush={}", self.ecr.scan_on_push));
        let encryption = self.encryption();
        let key = encryption.key.map_or_else(String::new, |key| format!(",kmsKey={key}"));
        words.push(format!("--encryption-configuration encryptionType={}{key}", encryption.kind));
        if !self.ecr.tags.is_empty() {
            // As JSON: the CLI's own notation has no way to write every character.
            let tags = self.ecr.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
            words.push(format!("--tags {}", quoted(&tags.collect::<serde_json::Value>().to_string())));
        }
        words.join(" \\\n    ")
    }

    /// A resource of Terraform's that makes it as it is declared.
    #[must_use]
    pub fn terraform(&self) -> String {
        let name = self.name.to_string();
        let id: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let mut lines = vec![
            format!("resource \"aws_ecr_repository\" \"{id}\" {{"),
            format!("  region               = {}", literal(self.region.as_str())),
            format!("  name                 = {}", literal(&name)),
            format!("  image_tag_mutability = \"{}\"", self.kind_of_mutability()),
        ];
        for filter in self.mutability().except {
            lines.push("  image_tag_mutability_exclusion_filter {".to_owned());
            lines.push(format!("    filter      = {}", literal(&filter)));
            lines.push("    filter_type = \"WILDCARD\"".to_owned());
            lines.push("  }".to_owned());
        }
        lines.push("  image_scanning_configuration {".to_owned());
        lines.push(format!("    scan_on_push = {}", self.ecr.scan_on_push));
        lines.push("  }".to_owned());
        let encryption = self.encryption();
        lines.push("  encryption_configuration {".to_owned());
        lines.push(format!("    encryption_type = \"{}\"", encryption.kind));
        lines.extend(encryption.key.map(|key| format!("    kms_key         = {}", literal(&key))));
        lines.push("  }".to_owned());
        if !self.ecr.tags.is_empty() {
            lines.push("  tags = {".to_owned());
            let keys: Vec<String> = self.ecr.tags.keys().map(|key| literal(key)).collect();
            // As `terraform fmt` has it.
            let widest = keys.iter().map(|key| key.chars().count()).max().unwrap_or(0);
            let each = keys.iter().zip(self.ecr.tags.values());
            lines.extend(each.map(|(key, value)| format!("    {key:widest$} = {}", literal(value))));
            lines.push("  }".to_owned());
        }
        lines.push("}".to_owned());
        lines.join("\n")
    }

    fn kind_of_mutability(&self) -> &'static str {
        match self.mutability() {
            set if !set.immutable => "MUTABLE",
            set if set.except.is_empty() => "IMMUTABLE",
            _ => "IMMUTABLE_WITH_EXCLUSION",
        }
    }
}

/// A text for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A text for Terraform.
fn literal(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::bake::provision::fixture::ecr;

    #[test]
    fn the_error_holds_what_makes_the_repository() {
        let ecr = ecr(
            "mutable_tags = [\"dev-*\"]\nencryption = \"KMS\"\nkms_key = \"alias/x\"\ntags = { team = \"it's ${1}\" }",
        );
        let name = "elk/kibana".parse().unwrap();
        let wanted =
            Wanted { name, ecr: &ecr, region: &ecr.regions[0], current: BTreeSet::new(), moving: BTreeSet::new() };
        let text = wanted.missing().to_string();
        for part in [
            "the repository elk/kibana in eu-west-1 of account 123456789012",
            "--image-tag-mutability IMMUTABLE_WITH_EXCLUSION",
            "'filterType=WILDCARD,filter=dev-*'",
            "encryptionType=KMS,kmsKey=alias/x",
            r#"--tags '[{"Key":"team","Value":"it'\''s ${1}"}]'"#,
            "resource \"aws_ecr_repository\" \"elk_kibana\" {",
            "image_tag_mutability = \"IMMUTABLE_WITH_EXCLUSION\"",
            "scan_on_push = true",
            "\"team\" = \"it's $${1}\"",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
    }
}
