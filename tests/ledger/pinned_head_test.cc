#include "ledger/pinned_head.h"

#include "tests/ledger/machine.h"

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

void add_account(Machine& machine, u128 id) {
    Account account;
    account.id = id;
    account.ledger = 1;
    account.code = 1;
    REQUIRE(machine.account(account) == CreateAccountStatus::created);
}

PinnedHead head_of(Machine& machine) {
    auto const head = current_head(machine.journal);
    REQUIRE(head);
    return *head;
}

PinnedHeadVerdict verdict(Machine& machine, PinnedHead const& pinned) {
    auto const check = check_pinned_head(machine.journal, pinned);
    REQUIRE_MESSAGE(check.has_value(), (check ? "" : to_string(check.error())));
    return check->verdict;
}

}  // namespace

TEST_CASE("every head that a journal ever had stays in its history") {
    Machine machine;
    std::vector<PinnedHead> heads{head_of(machine)};
    for (unsigned i = 1; i <= 5; ++i) {
        add_account(machine, i);
        heads.push_back(head_of(machine));
        CHECK(heads.back().position == machine.engine->head());
        CHECK(heads.back().ledger_id == machine.journal.ledger_id());
    }
    CHECK(heads.front().position.sequence == 1);
    CHECK(verdict(machine, heads.back()) == PinnedHeadVerdict::is_head);
    heads.pop_back();
    for (PinnedHead const& head : heads) {
        CHECK(verdict(machine, head) == PinnedHeadVerdict::is_ancestor);
    }
}

TEST_CASE("a head that is not of this history is told from one that is, and how") {
    Machine machine;
    add_account(machine, 1);
    PinnedHead const before = head_of(machine);
    Machine other;
    add_account(other, 2);
    CHECK(verdict(other, before) == PinnedHeadVerdict::is_rewritten);
    add_account(other, 3);
    CHECK(verdict(other, before) == PinnedHeadVerdict::is_rewritten);

    PinnedHead wrong = before;
    wrong.position.sequence += 1;
    CHECK(verdict(machine, wrong) == PinnedHeadVerdict::journal_is_cut);
    wrong = before;
    wrong.ledger_id[5] ^= 1;
    CHECK(verdict(machine, wrong) == PinnedHeadVerdict::other_ledger);
    wrong = before;
    wrong.position.hash[31] ^= 1;
    CHECK(verdict(machine, wrong) == PinnedHeadVerdict::is_rewritten);
    wrong = before;
    wrong.time += 1;
    CHECK(verdict(machine, wrong) == PinnedHeadVerdict::time_differs);
}

TEST_CASE("a journal without a record has no head") {
    MemoryJournal const journal{std::array<unsigned char, 16>{7}};
    CHECK(current_head(journal).error().code == Errc::not_found);
}
