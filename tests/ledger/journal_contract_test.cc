// What every Journal keeps, asked of each of them.
#include "ledger/memory_journal.h"
#include "tests/ledger/support.h"

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

struct InMemory {
    MemoryJournal journal{kLedgerId};
    Journal& get() { return journal; }
};

struct OnDisk {
    TemporaryFolder folder;
    std::unique_ptr<LocalJournal> journal = must(open_journal(folder.path()));
    Journal& get() { return *journal; }
};

Position head_of(Journal& journal) {
    return must(journal.head()).last;
}

// What a read gives, put together again.
struct Copy {
    std::string header;
    std::string transfers;
    std::string effects;
    std::vector<std::optional<Payload>> payloads;
};
std::vector<Copy> read_from(
    Journal& journal, Sequence from, Journal::Payloads payloads = Journal::Payloads::without
) {
    std::vector<Copy> records;
    must(journal.read(from, payloads, [&](Journal::StoredRecord const& stored) -> Result<bool> {
        records.push_back(
            {std::string{stored.header},
             std::string{stored.transfers},
             std::string{stored.effects},
             stored.payloads}
        );
        return true;
    }));
    return records;
}

}  // namespace

TEST_CASE_TEMPLATE("a new journal stands at the beginning of its own ledger", J, InMemory, OnDisk) {
    J holder;
    Journal& journal = holder.get();
    CHECK(journal.ledger_id() == kLedgerId);
    CHECK(head_of(journal) == genesis_position(kLedgerId));
    CHECK(must(journal.head()).epoch == 0);
    CHECK(read_from(journal, 1).empty());
}

TEST_CASE_TEMPLATE("the lease goes to the one who saw the last epoch", J, InMemory, OnDisk) {
    J holder;
    Journal& journal = holder.get();
    CHECK(must(journal.acquire(0)).epoch == 1);
    CHECK(refused(journal.acquire(0)).code == Errc::conflict);
    CHECK(refused(journal.acquire(2)).code == Errc::conflict);
    CHECK(must(journal.acquire(1)).epoch == 2);
    CHECK(must(journal.head()).epoch == 2);
}

TEST_CASE_TEMPLATE("what is appended is read back byte by byte", J, InMemory, OnDisk) {
    J holder;
    Journal& journal = holder.get();
    Lease const lease = must(journal.acquire(0));
    // Chunks hold 32 transfers: none, one short, exactly full, one over.
    Group group;
    Position at = head_of(journal);
    for (std::uint32_t const count : {0U, 31U, 32U, 33U, 64U, 100U}) {
        group.push_back(a_record(at, lease.epoch, {.transfers = count, .payloads = count % 3}));
        at = group.back()->position;
    }
    CHECK(append(journal, lease, head_of(journal), group).outcome == AppendOutcome::committed);
    CHECK(head_of(journal) == at);
    auto const records = read_from(journal, 1, Journal::Payloads::with);
    REQUIRE(records.size() == group.size());
    for (std::size_t i = 0; i < group.size(); ++i) {
        CAPTURE(i);
        CHECK(records[i].header == group[i]->header);
        CHECK(records[i].transfers == group[i]->transfers);
        CHECK(records[i].effects == group[i]->effects);
        CHECK(records[i].payloads.size() == group[i]->payloads.size());
        for (std::uint32_t index = 0; index < records[i].payloads.size(); ++index) {
            CHECK(records[i].payloads[index] == group[i]->payloads[index]);
            CHECK(must(journal.payload(i + 1, index)) == group[i]->payloads[index]);
        }
    }
    CHECK(must(check_chain(journal)) == 6);
}

TEST_CASE_TEMPLATE(
    "a read begins where it is told and ends where it is told", J, InMemory, OnDisk
) {
    J holder;
    Journal& journal = holder.get();
    Lease const lease = must(journal.acquire(0));
    extend(journal, lease, 5);
    CHECK(read_from(journal, 0).size() == 5);
    CHECK(read_from(journal, 1).size() == 5);
    auto const from_three = read_from(journal, 3);
    REQUIRE(from_three.size() == 3);
    CHECK(must(decode_header(from_three[0].header)).sequence == 3);
    CHECK(from_three[0].payloads.empty());
    CHECK(read_from(journal, 5).size() == 1);
    CHECK(read_from(journal, 6).empty());

    int seen = 0;
    must(journal.read(1, Journal::Payloads::without, [&](auto const&) -> Result<bool> {
        return ++seen < 2;
    }));
    CHECK(seen == 2);
    auto const broken =
        journal.read(1, Journal::Payloads::without, [](auto const&) -> Result<bool> {
            return fail(Errc::timeout, "the visitor's own error");
        });
    CHECK(refused(broken).code == Errc::timeout);
}

TEST_CASE_TEMPLATE(
    "each transfer can be read alone, and a missing one is corrupt", J, InMemory, OnDisk
) {
    J holder;
    Journal& journal = holder.get();
    Lease const lease = must(journal.acquire(0));
    extend(journal, lease, 2, {.transfers = 70});
    for (std::uint32_t const index : {0U, 31U, 32U, 63U, 64U, 69U}) {
        CHECK((must(journal.transfer(2, index)).id == 2'000 + index));
    }
    for (std::uint32_t const index : {70U, 96U, 65'536U * 32U, 0xffff'ffffU}) {
        CAPTURE(index);
        Error const error = refused(journal.transfer(2, index));
        CHECK(error.code == Errc::corrupt);
        CHECK(mentions(error, "record 2"));
    }
    CHECK(refused(journal.transfer(0, 0)).code == Errc::corrupt);
    CHECK(refused(journal.transfer(3, 0)).code == Errc::corrupt);
}

TEST_CASE_TEMPLATE("only the head can be continued", J, InMemory, OnDisk) {
    J holder;
    Journal& journal = holder.get();
    Lease const lease = must(journal.acquire(0));
    Position const beginning = head_of(journal);
    Position const first = extend(journal, lease, 1);
    Position const second = extend(journal, lease, 1);

    // Another record where one is already.
    Group const other = a_group(first, lease.epoch, 1, {.salt = 9});
    CHECK(append(journal, lease, first, other).outcome == AppendOutcome::conflict);
    CHECK(
        append(journal, lease, beginning, a_group(beginning, lease.epoch, 1, {.salt = 9}))
            .outcome == AppendOutcome::conflict
    );
    // More records from the middle on.
    CHECK(
        append(journal, lease, first, a_group(first, lease.epoch, 2, {.salt = 9})).outcome ==
        AppendOutcome::conflict
    );
    // A gap.
    Position ahead = second;
    ahead.sequence += 1;
    CHECK(
        append(journal, lease, ahead, a_group(ahead, lease.epoch, 1)).outcome ==
        AppendOutcome::conflict
    );
    // The right place after another history.
    Position elsewhere = second;
    elsewhere.hash[5] ^= 1U;
    CHECK(
        append(journal, lease, elsewhere, a_group(elsewhere, lease.epoch, 1)).outcome ==
        AppendOutcome::conflict
    );
    CHECK(head_of(journal) == second);
    CHECK(must(check_chain(journal)) == 2);
}

TEST_CASE_TEMPLATE("a group that cannot be is not sent", J, InMemory, OnDisk) {
    J holder;
    Journal& journal = holder.get();
    Lease const lease = must(journal.acquire(0));
    Position const beginning = head_of(journal);
    Group const three = a_group(beginning, lease.epoch, 3);
    auto const outcome = [&](Group group) {
        Told const told = append(journal, lease, beginning, std::move(group));
        CHECK_FALSE(told.why.empty());
        return told.outcome;
    };
    CHECK(outcome({}) == AppendOutcome::not_sent);
    CHECK(outcome({three[0], three[2]}) == AppendOutcome::not_sent);
    CHECK(outcome({three[1]}) == AppendOutcome::not_sent);
    CHECK(outcome(a_group(beginning, lease.epoch + 1, 1)) == AppendOutcome::not_sent);

    Group large = a_group(beginning, lease.epoch, 1);
    auto heavy = std::make_shared<EncodedRecord>(*large[0]);
    heavy->payloads.emplace_back(journal.group_bytes_max(), 'x');
    CHECK(outcome({heavy}) == AppendOutcome::not_sent);
    CHECK(head_of(journal) == beginning);
    CHECK(append(journal, lease, beginning, three).outcome == AppendOutcome::committed);
}

TEST_CASE_TEMPLATE("a lease that was overtaken or given back is fenced", J, InMemory, OnDisk) {
    J holder;
    Journal& journal = holder.get();
    Lease const old = must(journal.acquire(0));
    extend(journal, old, 1);
    Lease const lease = must(journal.acquire(1));
    Position const head = head_of(journal);
    // Also for the group that is already there: the old holder has to step down.
    CHECK(append(journal, old, head, a_group(head, old.epoch, 1)).outcome == AppendOutcome::fenced);
    must(journal.release(old));  // no longer its to give
    extend(journal, lease, 1);
    must(journal.release(lease));
    Position const now = head_of(journal);
    CHECK(
        append(journal, lease, now, a_group(now, lease.epoch, 1)).outcome == AppendOutcome::fenced
    );
    CHECK(must(check_chain(journal)) == 2);
    extend(journal, must(journal.acquire(2)), 1);
}

TEST_CASE_TEMPLATE("nobody appends without a lease", J, InMemory, OnDisk) {
    J holder;
    Journal& journal = holder.get();
    Position const beginning = head_of(journal);
    CHECK(
        append(journal, Lease{}, beginning, a_group(beginning, 0, 1)).outcome ==
        AppendOutcome::fenced
    );
    CHECK(head_of(journal) == beginning);
}

TEST_CASE_TEMPLATE("the same group again is committed and stands there once", J, InMemory, OnDisk) {
    J holder;
    Journal& journal = holder.get();
    Lease const lease = must(journal.acquire(0));
    Position const beginning = head_of(journal);
    Group const first = a_group(beginning, lease.epoch, 2);
    Group const second = a_group(first.back()->position, lease.epoch, 2);
    CHECK(append(journal, lease, beginning, first).outcome == AppendOutcome::committed);
    CHECK(append(journal, lease, beginning, first).outcome == AppendOutcome::committed);
    CHECK(
        append(journal, lease, first.back()->position, second).outcome == AppendOutcome::committed
    );
    // Also one that is no longer the newest.
    CHECK(append(journal, lease, beginning, first).outcome == AppendOutcome::committed);
    CHECK(append(journal, lease, first.back()->position, second).why.empty());
    CHECK(must(check_chain(journal)) == 4);
}

TEST_CASE_TEMPLATE("each of many payloads is found and dropped by itself", J, InMemory, OnDisk) {
    constexpr std::uint32_t kMany = 2'000;  // more than stand together
    J holder;
    Journal& journal = holder.get();
    Lease const lease = must(journal.acquire(0));
    extend(journal, lease, 2, {.payloads = kMany});
    std::vector<PayloadPlace> odd;
    for (std::uint32_t index = 1; index < kMany; index += 2) {
        odd.push_back({1, index});
    }
    must(journal.drop_payloads(odd));
    for (std::uint32_t index = 0; index < kMany; ++index) {
        CAPTURE(index);
        CHECK(must(journal.payload(1, index)).has_value() == (index % 2 == 0));
        CHECK(must(journal.payload(2, index)) == "payload " + std::to_string(index) + " of 2");
    }
    CHECK_FALSE(must(journal.payload(1, kMany)));
    auto const records = read_from(journal, 1, Journal::Payloads::with);
    REQUIRE(records.size() == 2);
    REQUIRE(records[0].payloads.size() == kMany);
    REQUIRE(records[1].payloads.size() == kMany);
    CHECK(records[0].payloads[kMany - 2] == "payload 1998 of 1");
    CHECK_FALSE(records[0].payloads[kMany - 1]);
    CHECK(records[1].payloads[kMany - 1] == "payload 1999 of 2");
}

TEST_CASE_TEMPLATE(
    "a dropped payload is forgotten and the chain stays whole", J, InMemory, OnDisk
) {
    J holder;
    Journal& journal = holder.get();
    Lease const lease = must(journal.acquire(0));
    extend(journal, lease, 3, {.payloads = 3});
    must(journal.drop_payloads({{2, 0}, {2, 2}}));
    must(journal.drop_payloads({{2, 2}, {2, 7}, {9, 0}}));  // again, and two that never were
    must(journal.drop_payloads({}));
    CHECK_FALSE(must(journal.payload(2, 0)));
    CHECK(must(journal.payload(2, 1)) == "payload 1 of 2");
    CHECK_FALSE(must(journal.payload(2, 2)));
    CHECK_FALSE(must(journal.payload(2, 3)));
    CHECK_FALSE(must(journal.payload(9, 0)));

    auto const records = read_from(journal, 1, Journal::Payloads::with);
    REQUIRE(records.size() == 3);
    CHECK(records[0].payloads.size() == 3);
    CHECK(records[0].payloads[2] == "payload 2 of 1");
    REQUIRE(records[1].payloads.size() == 3);
    CHECK_FALSE(records[1].payloads[0]);
    CHECK(records[1].payloads[1] == "payload 1 of 2");
    CHECK_FALSE(records[1].payloads[2]);
    CHECK(records[2].payloads[0] == "payload 0 of 3");
    CHECK(must(check_chain(journal)) == 3);
}

TEST_CASE("scripted outcomes of the journal in memory do to the records what they say") {
    using Script = MemoryJournal::Script;
    MemoryJournal journal{kLedgerId};
    Lease const lease = must(journal.acquire(0));
    Position const beginning = head_of(journal);
    Group const group = a_group(beginning, lease.epoch, 2);
    auto const once = [&](Script step) {
        journal.script(step);
        return append(journal, lease, beginning, group).outcome;
    };
    CHECK(once(Script::unknown_not_written) == AppendOutcome::unknown);
    CHECK(once(Script::not_sent) == AppendOutcome::not_sent);
    CHECK(once(Script::conflict) == AppendOutcome::conflict);
    CHECK(head_of(journal) == beginning);
    CHECK(once(Script::unknown_late) == AppendOutcome::unknown);
    CHECK(head_of(journal) == beginning);
    journal.commit_late();
    CHECK(head_of(journal) == group.back()->position);
    CHECK(append(journal, lease, beginning, group).outcome == AppendOutcome::committed);

    Position const head = head_of(journal);
    journal.script(Script::unknown_written);
    Group const next = a_group(head, lease.epoch, 1);
    CHECK(append(journal, lease, head, next).outcome == AppendOutcome::unknown);
    CHECK(head_of(journal) == next.back()->position);
    journal.script(Script::fenced);
    CHECK(append(journal, lease, head, next).outcome == AppendOutcome::fenced);
    CHECK(must(check_chain(journal)) == 3);
}

TEST_CASE("a crash of the journal in memory may tear off what was not acknowledged, and no more") {
    for (auto const tail : {MemoryJournal::Tail::whole, MemoryJournal::Tail::torn}) {
        MemoryJournal journal{kLedgerId};
        Lease const lease = must(journal.acquire(0));
        Position const acknowledged = extend(journal, lease, 2);
        journal.hold_completions(true);
        bool told = false;
        Group const group = a_group(acknowledged, lease.epoch, 2);
        journal.append(lease, acknowledged, group, [&](AppendOutcome, std::string const&) {
            told = true;
        });
        journal.crash(false, tail);
        CHECK(journal.pump() == 0);
        CHECK_FALSE(told);
        bool const torn = tail == MemoryJournal::Tail::torn;
        CHECK(head_of(journal) == (torn ? acknowledged : group.back()->position));
    }
}
