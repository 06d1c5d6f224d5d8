//! How much processor and memory a task has.

use super::wishes::TaskWishes;
use crate::export::fault::ExportError;
use crate::name::RecipeName;
use crate::record::Record;

/// CPU units and MiB of a whole task, where they are said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) cpu: Option<u32>,
    pub(super) memory: Option<u32>,
}

/// The sizes that Fargate has: CPU units, then the least MiB, the most, and the step between.
const FARGATE: [(u32, u32, u32, u32); 8] = [
    (256, 512, 512, 1),
    (256, 1024, 2048, 1024),
    (512, 1024, 4096, 1024),
    (1024, 2048, 8192, 1024),
    (2048, 4096, 16384, 1024),
    (4096, 8192, 30720, 1024),
    (8192, 16384, 61440, 4096),
    (16384, 32768, 122_880, 8192),
];

pub(super) fn of(images: &[(&RecipeName, &Record)], wishes: &TaskWishes) -> Result<Room, ExportError> {
    let memory = |record: &Record| record.needs.memory.or(record.needs.memory_reservation);
    let needed = images.iter().filter_map(|(_, record)| memory(record)).fold(0, u32::saturating_add);
    let units = images.iter().filter_map(|(_, record)| record.needs.cpu).fold(0, u32::saturating_add);
    let Some((main, _)) = images.first() else { return Ok(Room { cpu: wishes.cpu, memory: wishes.memory }) };
    let refused =
        |what: String, help: &str| ExportError::Refused { recipe: (*main).clone(), what, help: help.to_owned() };
    for (kind, wish, needed) in [("MiB", wishes.memory, needed), ("CPU units", wishes.cpu, units)] {
        if let Some(wish) = wish.filter(|wish| *wish < needed) {
            let what = format!("a task of {wish} {kind} is too small for its containers, which need {needed}");
            return Err(refused(what, "say more, or leave it out"));
        }
    }
    if wishes.fargate {
        return fargate((units, wishes.cpu), (needed, wishes.memory)).ok_or_else(|| {
            let (cpu, memory) = (wishes.cpu.unwrap_or(units), wishes.memory.unwrap_or(needed));
            refused(
                format!("Fargate has no size of {cpu} CPU units and {memory} MiB"),
                "say others with --cpu and --memory",
            )
        });
    }
    for (recipe, record) in images {
        if memory(record).is_none() && wishes.memory.is_none() {
            let what = "nothing says how much memory its container has, and ECS asks for that".to_owned();
            let help = "say --memory MIB, or `memory` under [runtime] of its recipe, and push it again".to_owned();
            return Err(ExportError::Refused { recipe: (*recipe).clone(), what, help });
        }
    }
    Ok(Room { cpu: wishes.cpu, memory: wishes.memory })
}

/// The smallest size of Fargate's that holds what is needed, or the one that was wished for.
fn fargate((units, cpu): (u32, Option<u32>), (needed, memory): (u32, Option<u32>)) -> Option<Room> {
    FARGATE.iter().find_map(|&(size, least, most, step)| {
        let fits = cpu.map_or(size >= units, |cpu| cpu == size);
        let mut sizes = (least..=most).step_by(step as usize);
        let found = sizes.find(|size| memory.map_or(*size >= needed, |memory| *size == memory));
        found.filter(|_| fits).map(|memory| Room { cpu: Some(size), memory: Some(memory) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fargate_has_certain_sizes_only() {
        for ((cpu, memory), wished, expected) in [
            ((0, 0), (None, None), Some((256, 512))),
            ((0, 513), (None, None), Some((256, 1024))),
            ((0, 1025), (None, None), Some((256, 2048))),
            ((0, 2049), (None, None), Some((512, 3072))),
            ((300, 512), (None, None), Some((512, 1024))),
            ((0, 24576), (None, None), Some((4096, 24576))),
            ((0, 40000), (None, None), Some((8192, 40960))),
            ((0, 122_881), (None, None), None),
            ((0, 2048), (Some(1024), None), Some((1024, 2048))),
            ((0, 2048), (Some(1000), None), None),
            ((0, 100), (None, Some(600)), None),
            ((0, 100), (None, Some(5120)), Some((1024, 5120))),
        ] {
            let room = fargate((cpu, wished.0), (memory, wished.1));
            let expected = expected.map(|(cpu, memory)| Room { cpu: Some(cpu), memory: Some(memory) });
            assert_eq!(room, expected, "{cpu} {memory} {wished:?}");
        }
    }
}
