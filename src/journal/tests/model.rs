//! The journal against the simplest thing that could be one: a list.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        count: u32,
        size: usize,
    },
    /// Several at once share a transaction.
    AppendTogether(u8),
    Commit {
        reader: usize,
        back: u64,
    },
    Annotate {
        back: u64,
    },
    SaveState {
        back: u64,
    },
    Read {
        back: u64,
        max_bytes: usize,
    },
    Flush,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_u32..20, 0_usize..3000).prop_map(|(count, size)| Step::Append { count, size }),
        1 => (2_u8..20).prop_map(Step::AppendTogether),
        3 => (0_usize..2, 0_u64..12).prop_map(|(reader, back)| Step::Commit { reader, back }),
        2 => (0_u64..6).prop_map(|back| Step::Annotate { back }),
        1 => (0_u64..6).prop_map(|back| Step::SaveState { back }),
        3 => (0_u64..15, 0_usize..5000).prop_map(|(back, max_bytes)| Step::Read { back, max_bytes }),
        1 => Just(Step::Flush),
        1 => Just(Step::Reopen),
    ]
}

const NAMES: [&str; 3] = ["store", "alert", "decode"];

#[derive(Default)]
struct Model {
    groups: Vec<Arc<Messages>>,
    upto: [u64; 3],
    notes: BTreeMap<u64, Annotations>,
    /// The decoder's memory: as saved, which is the checkpoint.
    state: Vec<(String, Vec<u8>)>,
}

impl Model {
    fn last(&self) -> u64 {
        self.groups.len().try_into().unwrap()
    }

    fn passed(&self) -> u64 {
        *self.upto.iter().min().unwrap()
    }

    fn notes_of(&self, group: u64) -> Annotations {
        self.notes.get(&group).cloned().unwrap_or_default()
    }

    /// A group from `from` on may be gone only if everybody passed it.
    fn check_read(&self, from: u64, max_bytes: usize, groups: &[Group]) {
        let mut expected = from.max(1);
        let mut bytes = 0;
        for group in groups {
            assert!(
                group.number == expected
                    || group.number <= self.passed() + 1
                    || expected == from.max(1)
            );
            assert!(group.number >= expected);
            assert!(
                (expected..group.number).all(|gone| gone <= self.passed()),
                "{expected} is lost"
            );
            let index = usize::try_from(group.number - 1).unwrap();
            assert_eq!(group.messages, self.groups[index]);
            assert_eq!(group.annotations, self.notes_of(group.number), "of {}", group.number);
            assert!(bytes < max_bytes, "stops when it has what was asked");
            bytes += group.messages.as_bytes().len();
            expected = group.number + 1;
        }
        if bytes < max_bytes {
            assert!(
                (expected..=self.last()).all(|gone| gone <= self.passed()),
                "{expected} is lost"
            );
        }
    }
}

struct Pair {
    bench: Bench,
    journal: Journal,
    model: Model,
}

impl Pair {
    async fn play(&mut self, step: Step, seed: u64) {
        let last = self.model.last();
        match step {
            Step::Append { count, size } => self.append(messages(seed, count, size / 20)).await,
            Step::AppendTogether(times) => {
                let groups: Vec<_> =
                    (0..times).map(|more| messages(seed + u64::from(more), 2, 9)).collect();
                let appends = groups.iter().map(|group| self.journal.append(Arc::clone(group)));
                let numbers = futures_util::future::try_join_all(appends).await.unwrap();
                assert!(numbers.iter().copied().eq(last + 1..=last + u64::from(times)));
                self.model.groups.extend(groups);
            }
            Step::Commit { reader, back } => {
                let upto = last.saturating_sub(back);
                self.journal.commit(NAMES[reader], upto);
                self.model.upto[reader] = self.model.upto[reader].max(upto);
            }
            Step::Annotate { back } => self.annotate(last.saturating_sub(back)),
            Step::SaveState { back } => {
                let upto = last.saturating_sub(back).max(self.model.upto[2]);
                self.model.state = vec![("upto".to_owned(), upto.to_le_bytes().to_vec())];
                self.journal.save_state(self.model.state.clone(), upto);
                self.model.upto[2] = upto;
            }
            Step::Read { back, max_bytes } => {
                let from = last.saturating_sub(back);
                let groups = self.journal.read(from, max_bytes).await.unwrap();
                self.model.check_read(from, max_bytes, &groups);
            }
            Step::Flush => self.journal.flush().await.unwrap(),
            Step::Reopen => self.reopen().await,
        }
        assert_eq!(self.journal.last(), self.model.last());
    }

    async fn append(&mut self, messages: Arc<Messages>) {
        let number = self.journal.append(Arc::clone(&messages)).await.unwrap();
        self.model.groups.push(messages);
        assert_eq!(number, self.model.last());
    }

    /// As the decoding stage does it: only what its saved memory does not cover.
    fn annotate(&mut self, group: u64) {
        if group > self.model.upto[2] {
            let notes = Annotations {
                repeats: vec![1, 5, u32::try_from(group).unwrap()],
                ..Annotations::default()
            };
            self.journal.annotate(group, notes.clone());
            self.model.notes.insert(group, notes);
        }
    }

    async fn reopen(&mut self) {
        self.journal.close().await;
        self.journal = self.bench.try_open(&NAMES).unwrap();
        for (name, upto) in NAMES.iter().zip(self.model.upto) {
            assert_eq!(self.journal.committed(name), upto);
        }
        assert_eq!(self.journal.load_state().await.unwrap(), self.model.state);
        let checkpoint = self.model.upto[2];
        self.model.notes.retain(|group, _| *group <= checkpoint);
    }
}

async fn play(steps: Vec<Step>) {
    let bench = Bench::new();
    let journal = bench.try_open(&NAMES).unwrap();
    let mut pair = Pair { bench, journal, model: Model::default() };
    for (seed, step) in (0..).zip(steps) {
        pair.play(step, seed * 1000).await;
    }
    pair.reopen().await;
    let groups = pair.journal.read(0, usize::MAX).await.unwrap();
    pair.model.check_read(0, usize::MAX, &groups);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_journal_is_a_list_that_forgets_what_everybody_passed(steps in prop::collection::vec(step(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
