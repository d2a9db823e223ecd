use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const SETTINGS: NodeSettings = NodeSettings {
    beat_every: Duration::from_secs(1),
    timeout: Duration::from_secs(10),
    settling: Duration::from_secs(180),
    alone: false,
};

fn id(n: u128) -> NodeId {
    NodeId(Uuid::from_u128(n))
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn node(n: u128, beat: i64) -> NodeRow {
    NodeRow { id: id(n), beat, stopped: false }
}

/// The buckets, each owned by the node that `owner` names; 0 is nobody.
fn buckets(owner: impl Fn(u8) -> u128) -> Vec<BucketRow> {
    let row = |bucket: Bucket| {
        let node = Some(owner(bucket.0)).filter(|owner| *owner != 0).map(id);
        BucketRow { bucket, node, epoch: 7 }
    };
    Bucket::all().map(row).collect()
}

#[test]
fn the_first_node_takes_everything() {
    let mut observer = Observer::new(id(1), SETTINGS);
    let plan = observer.observe(&Round { nodes: vec![node(1, 1)], buckets: buckets(|_| 0) }, at(0));
    assert_eq!(plan.take.len(), 256);
    assert!(plan.take.iter().all(|(_, epoch)| *epoch == 7), "taken in the epoch in which it was seen");
}

#[test]
fn a_node_is_dead_when_its_counter_stands_still_while_somebody_looks() {
    let mut observer = Observer::new(id(1), SETTINGS);
    for second in 0..10 {
        let round = Round { nodes: vec![node(1, 500 + second), node(2, 500)], buckets: buckets(|_| 2) };
        assert_eq!(observer.observe(&round, at(second as u64)).take, [], "after {second} s");
    }
    let round = Round { nodes: vec![node(1, 510), node(2, 500)], buckets: buckets(|_| 2) };
    assert_eq!(observer.observe(&round, at(10)).take.len(), 256);
}

/// This node was paused, or could not reach the database: it has seen nothing of the others meanwhile.
#[test]
fn a_silence_that_nobody_watched_proves_nothing() {
    let mut observer = Observer::new(id(1), SETTINGS);
    let round = Round { nodes: vec![node(1, 500), node(2, 500)], buckets: buckets(|_| 2) };
    observer.observe(&round, at(0));
    assert_eq!(observer.observe(&round, at(60)).take, []);
    for second in 61..70 {
        assert_eq!(observer.observe(&round, at(second)).take, []);
    }
    assert_eq!(observer.observe(&round, at(70)).take.len(), 256);
}

#[test]
fn a_node_that_stopped_leaves_orphans_at_once() {
    let mut observer = Observer::new(id(1), SETTINGS);
    let stopped = NodeRow { stopped: true, ..node(2, 500) };
    let plan = observer.observe(&Round { nodes: vec![node(1, 500), stopped], buckets: buckets(|_| 2) }, at(0));
    assert_eq!((plan.take.len(), plan.forget.len()), (256, 0));
    let plan = observer.observe(&Round { nodes: vec![node(1, 501), stopped], buckets: buckets(|_| 1) }, at(1));
    assert_eq!((plan.owned.len(), plan.take.len(), plan.forget), (256, 0, vec![id(2)]));
}

#[test]
fn orphans_are_shared_by_those_who_live() {
    let round = Round { nodes: vec![node(1, 500), node(2, 500), node(3, 500)], buckets: buckets(|_| 0) };
    let taken = |n| Observer::new(id(n), SETTINGS).observe(&round, at(0)).take;
    let (one, two, three) = (taken(1), taken(2), taken(3));
    assert_eq!(one.len() + two.len() + three.len(), 256);
    let all: BTreeSet<(Bucket, i64)> = one.into_iter().chain(two).chain(three).collect();
    assert_eq!(all.len(), 256);
}

/// A node that dies again and again would put the accounts of what it takes in doubt each time, for a grace that begins
/// anew each time: they would starve.
#[test]
fn a_node_that_has_just_come_takes_no_orphans_beside_one_that_has_lived() {
    let round = Round { nodes: vec![node(1, 500), node(2, 5)], buckets: buckets(|_| 0) };
    assert_eq!(Observer::new(id(2), SETTINGS).observe(&round, at(0)).take, []);
    assert_eq!(Observer::new(id(1), SETTINGS).observe(&round, at(0)).take.len(), 256);
}

#[test]
fn a_node_is_given_its_share_once_it_has_lived_for_a_grace() {
    let mut observer = Observer::new(id(1), SETTINGS);
    let round = |beat| Round { nodes: vec![node(1, 5000), node(2, beat)], buckets: buckets(|_| 1) };
    assert_eq!(observer.observe(&round(179), at(0)).give, BTreeMap::new());
    let plan = observer.observe(&round(180), at(1));
    assert_eq!(plan.give.len(), 128);
    assert!(plan.give.values().all(|to| *to == id(2)));
}

#[test]
fn nothing_is_given_away_while_there_are_orphans() {
    let mut observer = Observer::new(id(1), SETTINGS);
    let round = Round { nodes: vec![node(1, 500), node(2, 500)], buckets: buckets(|n| u128::from(n > 0)) };
    assert_eq!(observer.observe(&round, at(0)).give, BTreeMap::new());
}

#[test]
fn whoever_is_alone_waits_for_nobody() {
    let mut observer = Observer::new(id(1), NodeSettings { alone: true, ..SETTINGS });
    let round = Round { nodes: vec![node(1, 1), node(2, 500)], buckets: buckets(|_| 2) };
    assert_eq!(observer.observe(&round, at(0)).take.len(), 256);
}

proptest! {
    /// Whatever the counts: nobody gives more than it has, everybody counts alike, and it comes to rest evenly.
    #[test]
    fn giving_comes_to_rest_with_even_shares(owners in proptest::collection::vec(1u128..6, 256), nodes in 1u128..6) {
        let present: Vec<NodeRow> = (1..=nodes).map(|n| node(n, 500)).collect();
        let mut buckets = buckets(|n| (owners[usize::from(n)] - 1) % nodes + 1);
        for _ in 0..20 {
            let round = Round { nodes: present.clone(), buckets: buckets.clone() };
            for n in 1..=nodes {
                let give = Observer::new(id(n), SETTINGS).observe(&round, at(0)).give;
                for (bucket, to) in give {
                    let row = &mut buckets[usize::from(bucket.0)];
                    prop_assert_eq!(row.node, Some(id(n)));
                    row.node = Some(to);
                }
            }
        }
        let counts: Vec<usize> =
            (1..=nodes).map(|n| buckets.iter().filter(|row| row.node == Some(id(n))).count()).collect();
        let share = 256usize.div_ceil(nodes as usize);
        prop_assert!(counts.iter().all(|count| *count <= share), "{counts:?}");
        let last = Round { nodes: present, buckets };
        for n in 1..=nodes {
            prop_assert_eq!(Observer::new(id(n), SETTINGS).observe(&last, at(0)).give, BTreeMap::new());
        }
    }
}
