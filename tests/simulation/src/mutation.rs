//! Bugs that tests plant into the *driver*, to show that the checkers would see them. The engine
//! knows nothing of this; without a mutation the driver does what the agent does.

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    #[default]
    None,
    /// The kernel keeps the addresses when a router gives way.
    CustodyKeptOnStepDown,
    /// The first advert of a router is sent again and again.
    StaleAdvert,
    /// Deadlines fire before the sockets are read.
    DeadlinesBeforeDraining,
    /// The kernel side never says that the addresses are there.
    ClaimNeverAnswered,
    /// Addresses are added without a lifetime.
    LeaseNeverExpires,
    /// Leases are renewed though nobody vouches for the VRRP loop, and nobody says they expired.
    LeaseRenewedUnvouched,
    /// A resigning master's addresses are removed at once.
    AddressesGoneBeforeSuccessor,
    /// A machine that slept does not tell its routers.
    SuspendNotTold,
    /// A new definition never reaches the router.
    RedefinitionIgnored,
    /// An agent that was killed always carries on as MASTER.
    ResumesWhateverTheTime,
    /// Every advert is sent three hundred times.
    AdvertsRepeated,
    /// Members are told each other's priorities upside down.
    RanksReversed,
    /// Routers run the opposite of their priority: the lowest comes first.
    PrioritiesReversed,
    /// One router of a sync group that gives way does not take the others along.
    GroupNotFollowed,
    /// Nobody is told that an instance is new, and others may not have it yet.
    CreationNotTold,
    /// Nobody is told that an instance is nowhere any more.
    DeletionNotTold,
    /// One host's loop wakes for packets only, never for a deadline.
    DeadlinesForgotten,
}
