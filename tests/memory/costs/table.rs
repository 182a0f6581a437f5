//! The table of the manual, and what is measured, in the same rows.

/// A verb, and what grows.
pub(crate) struct Row {
    pub(crate) name: String,
    /// At each size: calls of the store, and of the ledger.
    calls: [Vec<String>; 2],
    /// kB that are read, and that are held at once.
    read: Vec<u64>,
    memory: Vec<u64>,
    /// Whether it takes no more memory at a hundred times the size than at ten times.
    is_flat: bool,
}

const HEAD: &str = "| verb | what grows | calls of the store | of the ledger | kB read | kB held | flat |\n\
                    |---|---|---|---|---|---|---|\n";
const END: &str = "\n\n[//]: # (end of the table)";

/// As many times the memory a verb may take at ten times the size, where it is flat: threads do not always meet in the
/// same way.
const FLAT: u64 = 2;
/// kB that come and go with how they meet.
const NOISE: u64 = 128;

/// What was measured, from the lines of each verb at each size.
pub(crate) fn rows_of(lines: &[String]) -> Vec<Row> {
    let mut measured: Vec<(String, Vec<Vec<String>>)> = Vec::new();
    for line in lines {
        let Some(line) = line.split_once('~').and_then(|(_, rest)| rest.strip_suffix('~')) else { continue };
        let mut cells: Vec<String> = line.split('|').map(str::to_owned).collect();
        let costs = cells.split_off(2);
        let name = cells.join(" | ");
        match measured.iter_mut().find(|(other, _)| *other == name) {
            Some((_, of)) => of.push(costs),
            None => measured.push((name, vec![costs])),
        }
    }
    let row = |(name, sizes): (String, Vec<Vec<String>>)| {
        let cell = |at: usize| sizes.iter().map(|size| size[at].clone()).collect::<Vec<_>>();
        let kilo = |at: usize| cell(at).iter().map(|bytes| bytes.parse::<u64>().unwrap().div_ceil(1000)).collect();
        let memory: Vec<u64> = kilo(3);
        let is_flat = matches!(memory.as_slice(), [_, ten, hundred] if *hundred <= ten * 3 / 2 + NOISE / 2);
        Row { name, calls: [0, 1].map(cell), read: kilo(2), memory, is_flat }
    };
    measured.into_iter().map(row).collect()
}

impl Row {
    fn line(&self) -> String {
        let cell = |sizes: Vec<String>| {
            let same = sizes.iter().all(|size| *size == sizes[0]);
            if same { sizes[0].clone() } else { sizes.join("; ") }
        };
        let [store, ledger] = self.calls.clone().map(cell);
        let read = cell(self.read.iter().map(u64::to_string).collect());
        let held = cell(self.memory.iter().map(|size| rounded_up(*size).to_string()).collect());
        let flat = if self.is_flat { "yes" } else { "no" };
        format!("| {} | {store} | {ledger} | {read} | {held} | {flat} |", self.name)
    }

    /// Whether what was measured is what this says.
    pub(crate) fn holds(&self, measured: &Self) {
        let name = &self.name;
        for (stated, measured) in self.calls.iter().zip(&measured.calls) {
            // What is the same at all sizes stands there once.
            let stated = stated.iter().cycle().take(measured.len());
            assert!(stated.clone().eq(measured), "{name} makes {measured:?}, not {stated:?}");
        }
        for (stated, measured) in self.read.iter().cycle().zip(&measured.read) {
            assert!(measured.abs_diff(*stated) <= 1 + stated / 10, "{name} reads {measured} kB, not {stated}");
        }
        for (stated, measured) in self.memory.iter().cycle().zip(&measured.memory) {
            assert!(measured <= &(stated + NOISE), "{name} holds {measured} kB, not {stated}");
        }
        if let ([_, ten, hundred], true) = (measured.memory.as_slice(), self.is_flat) {
            assert!(*hundred <= FLAT * ten + NOISE, "{name} is not flat: {ten}, {hundred}");
        }
    }
}

/// A quarter more, and then the next of 1, 1.5, 2, 3, 4, 6, 8 and so on.
fn rounded_up(size: u64) -> u64 {
    let enough = (size + size / 4).max(1);
    let power = enough.next_power_of_two();
    if power / 4 * 3 >= enough { power / 4 * 3 } else { power }
}

/// The page with these rows.
pub(crate) fn written(page: &str, rows: &[Row]) -> String {
    let (before, rest) = page.split_once(HEAD).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let lines: Vec<String> = rows.iter().map(Row::line).collect();
    format!("{before}{HEAD}{}{END}{after}", lines.join("\n"))
}

/// The rows of the page.
pub(crate) fn read(page: &str) -> Vec<Row> {
    let (_, rest) = page.split_once(HEAD).unwrap();
    let (table, _) = rest.split_once(END).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let sizes = |at: usize| cells[at].split("; ").map(|size| size.parse().unwrap()).collect();
        let calls = [2, 3].map(|at| cells[at].split("; ").map(str::to_owned).collect());
        let name = cells[..2].join(" | ");
        Row { name, calls, read: sizes(4), memory: sizes(5), is_flat: cells[6] == "yes" }
    };
    table.lines().map(row).collect()
}
