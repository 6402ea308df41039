// create_transfers: every status and every two neighbours, in order of precedence.
#include "tests/ledger/kernel.h"

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

using S = CreateTransferStatus;

constexpr u128 kMost = kU128Max;
constexpr u128 kHalf = u128{1} << 127U;
constexpr u128 kQuarter = u128{1} << 126U;
constexpr u128 kAbsent = 99;
constexpr std::uint32_t kLongest = ~0U;

// What the accounts are for.
constexpr u128 kPlain = 1;  // debited by most transfers; kOther is credited
constexpr u128 kOther = 2;
constexpr u128 kDebitsLimited = 3;
constexpr u128 kCreditsLimited = 4;
constexpr u128 kOtherLedger = 5;
constexpr u128 kClosed = 6;
constexpr u128 kClosedToo = 7;
constexpr u128 kDebitsPosted = 8;  // 10, and nothing else
constexpr u128 kCreditsPosted = 9;
constexpr u128 kDebitsPending = 10;
constexpr u128 kCreditsPending = 11;
constexpr u128 kThreeQuarters = 12;  // a half of everything posted, a quarter pending, credits
constexpr u128 kItsOther = 13;
constexpr u128 kFresh = 14;
constexpr u128 kYoung = 15;  // younger than every transfer
constexpr u128 kYounger = 16;

// What the transfers are for.
constexpr u128 kPosted = 100;
constexpr u128 kPending = 101;    // 30, open
constexpr u128 kWasPosted = 102;  // 7, by kPost
constexpr u128 kWasVoided = 103;  // 8, by kVoid
constexpr u128 kUsedUp = 104;
constexpr u128 kExpired = 105;     // 6
constexpr u128 kVoidedLate = 106;  // voided in time, and its time has passed since
constexpr u128 kPost = 112;
constexpr u128 kVoid = 113;

Transfer full() {
    Transfer event = transfer(kPosted, kPlain, kOther, 50);
    event.user_data_128 = 128;
    event.user_data_64 = 64;
    event.user_data_32 = 32;
    return event;
}

struct Fixture {
    Fixture() {
        for (u128 id = kPlain; id <= kFresh; ++id) {
            unsigned const flags = flags_of(id);
            REQUIRE(
                machine.account(account(id, flags, id == kOtherLedger ? 2 : 1)) ==
                CreateAccountStatus::created
            );
        }
        create(full());
        create(transfer(kPending, kPlain, kOther, 30, transfer_pending));
        create(transfer(kWasPosted, kPlain, kOther, 7, transfer_pending));
        create(resolving(kPost, kWasPosted, kMost, post_pending_transfer));
        create(transfer(kWasVoided, kPlain, kOther, 8, transfer_pending));
        create(resolving(kVoid, kWasVoided, 0, void_pending_transfer));
        create(transfer(kUsedUp, kPlain, kAbsent, 1), S::credit_account_not_found);
        create(timed(kExpired, 6));
        create(timed(kVoidedLate, 9));
        create(resolving(116, kVoidedLate, 0, void_pending_transfer));
        create(transfer(120, kDebitsPosted, kCreditsPosted, 10));
        create(transfer(121, kDebitsPending, kCreditsPending, 10, transfer_pending));
        create(transfer(122, kItsOther, kThreeQuarters, kHalf));
        create(transfer(123, kItsOther, kThreeQuarters, kQuarter, transfer_pending));
        newest = machine.engine->clock();
        machine.ask<AdvanceClockAnswer>(AdvanceClock{2 * kNanosecondsPerSecond});
        for (u128 const id : {kYoung, kYounger}) {
            REQUIRE(machine.account(account(id)) == CreateAccountStatus::created);
            machine.ask<AdvanceClockAnswer>(AdvanceClock{1'000});
        }
    }
    static unsigned flags_of(u128 id) {
        if (id == kDebitsLimited) {
            return debits_must_not_exceed_credits;
        }
        if (id == kCreditsLimited) {
            return credits_must_not_exceed_debits;
        }
        return id == kClosed || id == kClosedToo ? unsigned{account_closed} : 0U;
    }
    static Transfer timed(u128 id, u128 amount) {
        Transfer event = transfer(id, kPlain, kOther, amount, transfer_pending);
        event.timeout = 1;
        return event;
    }
    void create(Transfer const& event, S expected = S::created) {
        REQUIRE(status_name(machine.transfer(event)) == status_name(expected));
    }
    // The clock goes to where the longest timeout does not fit any more.
    void make_late() {
        machine.ask<AdvanceClockAnswer>(
            AdvanceClock{kTimestampMax - machine.engine->clock() - kNanosecondsPerSecond}
        );
    }
    Machine machine;
    std::uint64_t newest = 0;  // timestamp of the newest transfer
};

using Batch = std::vector<Transfer>;
using Row = StatusRow<S, Transfer, Fixture>;
using Pair = NeighbourRow<S, Transfer, Fixture>;
using Change = std::function<void(Transfer&)>;

Row::Batch one(Transfer event) {
    return [event](Fixture&) { return Batch{event}; };
}
// A new transfer of 5, the existing kPosted, a post of kPending, a void of kPending: changed.
Row::Batch fresh(Change const& change) {
    return one(with<Transfer>(transfer(200, kPlain, kOther, 5), change));
}
Row::Batch existing(Change const& change) {
    return one(with<Transfer>(full(), change));
}
Row::Batch posting(Change const& change) {
    return one(with<Transfer>(resolving(200, kPending, 10, post_pending_transfer), change));
}
Row::Batch voiding(Change const& change) {
    return one(with<Transfer>(resolving(200, kPending, 0, void_pending_transfer), change));
}
// A new transfer, imported just after the newest one.
Row::Batch imported(std::function<void(Transfer&, Fixture&)> const& change) {
    return [change](Fixture& fixture) {
        Transfer event = transfer(200, kPlain, kOther, 5, transfer_imported);
        event.timestamp = fixture.newest + 1;
        change(event, fixture);
        return Batch{event};
    };
}
// At the end of time, with the longest timeout.
Row::Batch late(Transfer event) {
    event.flags |= transfer_pending;
    event.timeout = kLongest;
    return [event](Fixture& fixture) {
        fixture.make_late();
        return Batch{event};
    };
}

// ---- a row for each status ---------------------------------------------------------------------

std::vector<Row> batch_rows() {
    return {
        {S::created, fresh([](Transfer&) {})},
        {S::linked_event_chain_open, fresh([](Transfer& t) { t.flags = transfer_linked; })},
        {S::linked_event_failed,
         [](Fixture&) {
             return Batch{
                 transfer(0, kPlain, kOther, 1, transfer_linked), transfer(201, kPlain, kOther, 1)
             };
         }},
        {S::imported_event_expected,
         [](Fixture& f) {
             auto batch = imported([](Transfer&, Fixture&) {})(f);
             batch.push_back(transfer(201, kPlain, kOther, 1));
             return batch;
         }},
        {S::imported_event_not_expected,
         [](Fixture& f) {
             auto batch = imported([](Transfer&, Fixture&) {})(f);
             batch.insert(batch.begin(), transfer(201, kPlain, kOther, 1));
             return batch;
         }},
        {S::timestamp_must_be_zero, fresh([](Transfer& t) { t.timestamp = 1; })},
        {S::imported_event_timestamp_out_of_range,
         imported([](Transfer& t, Fixture&) { t.timestamp = 0; })},
        {S::imported_event_timestamp_out_of_range,
         imported([](Transfer& t, Fixture&) { t.timestamp = kTimestampMax + 1; })},
        {S::imported_event_timestamp_must_not_advance,
         imported([](Transfer& t, Fixture&) { t.timestamp = kTimestampMax; })},
        // A batch of one moves the clock by two: at the clock is too late, one before it is not.
        {S::imported_event_timestamp_must_not_advance,
         imported([](Transfer& t, Fixture& f) { t.timestamp = f.machine.engine->clock() + 2; })},
        {S::created,
         imported([](Transfer& t, Fixture& f) { t.timestamp = f.machine.engine->clock() + 1; })},
        {S::reserved_flag, fresh([](Transfer& t) { t.flags = 1U << 9U; })},
        {S::reserved_flag, fresh([](Transfer& t) { t.flags = 1U << 15U; })},
        {S::id_must_not_be_zero, fresh([](Transfer& t) { t.id = 0; })},
        {S::id_must_not_be_int_max, fresh([](Transfer& t) { t.id = kMost; })},
    };
}

std::vector<Row> existing_rows() {
    return {
        {S::exists_with_different_flags, existing([](Transfer& t) { t.flags = transfer_pending; })},
        {S::exists_with_different_pending_id, existing([](Transfer& t) { t.pending_id = 1; })},
        {S::exists_with_different_pending_id,
         one(resolving(kPost, kPending, kMost, post_pending_transfer))},
        {S::exists_with_different_timeout, existing([](Transfer& t) { t.timeout = 1; })},
        {S::exists_with_different_debit_account_id,
         existing([](Transfer& t) { t.debit_account_id = 0; })},
        {S::exists_with_different_credit_account_id,
         existing([](Transfer& t) { t.credit_account_id = kAbsent; })},
        {S::exists_with_different_amount, existing([](Transfer& t) { t.amount = 51; })},
        {S::exists_with_different_user_data_128, existing([](Transfer& t) { t.user_data_128 = 0; })
        },
        {S::exists_with_different_user_data_64, existing([](Transfer& t) { t.user_data_64 = 0; })},
        {S::exists_with_different_user_data_32, existing([](Transfer& t) { t.user_data_32 = 0; })},
        {S::exists_with_different_ledger, existing([](Transfer& t) { t.ledger = 0; })},
        {S::exists_with_different_code, existing([](Transfer& t) { t.code = 0; })},
        {S::exists, existing([](Transfer&) {})},
        {S::id_already_failed, one(transfer(kUsedUp, kPlain, kOther, 1))},
    };
}

std::vector<Row> field_rows() {
    return {
        {S::flags_are_mutually_exclusive,
         posting([](Transfer& t) { t.flags |= void_pending_transfer; })},
        {S::flags_are_mutually_exclusive, posting([](Transfer& t) { t.flags |= transfer_pending; })
        },
        {S::flags_are_mutually_exclusive, posting([](Transfer& t) { t.flags |= balancing_debit; })},
        {S::flags_are_mutually_exclusive, voiding([](Transfer& t) { t.flags |= balancing_credit; })
        },
        {S::flags_are_mutually_exclusive, voiding([](Transfer& t) { t.flags |= closing_debit; })},
        {S::flags_are_mutually_exclusive, posting([](Transfer& t) { t.flags |= closing_credit; })},
        {S::debit_account_id_must_not_be_zero, fresh([](Transfer& t) { t.debit_account_id = 0; })},
        {S::debit_account_id_must_not_be_int_max,
         fresh([](Transfer& t) { t.debit_account_id = kMost; })},
        {S::credit_account_id_must_not_be_zero, fresh([](Transfer& t) { t.credit_account_id = 0; })
        },
        {S::credit_account_id_must_not_be_int_max,
         fresh([](Transfer& t) { t.credit_account_id = kMost; })},
        {S::accounts_must_be_different,
         fresh([](Transfer& t) { t.credit_account_id = t.debit_account_id; })},
        {S::pending_id_must_be_zero, fresh([](Transfer& t) { t.pending_id = kPending; })},
        {S::pending_id_must_not_be_zero, posting([](Transfer& t) { t.pending_id = 0; })},
        {S::pending_id_must_not_be_int_max, posting([](Transfer& t) { t.pending_id = kMost; })},
        {S::pending_id_must_be_different, posting([](Transfer& t) { t.pending_id = t.id; })},
        {S::timeout_reserved_for_pending_transfer, fresh([](Transfer& t) { t.timeout = 1; })},
        {S::timeout_reserved_for_pending_transfer, posting([](Transfer& t) { t.timeout = 1; })},
        {S::closing_transfer_must_be_pending, fresh([](Transfer& t) { t.flags = closing_debit; })},
        {S::closing_transfer_must_be_pending, fresh([](Transfer& t) { t.flags = closing_credit; })},
        {S::ledger_must_not_be_zero, fresh([](Transfer& t) { t.ledger = 0; })},
        {S::code_must_not_be_zero, fresh([](Transfer& t) { t.code = 0; })},
        {S::debit_account_not_found, fresh([](Transfer& t) { t.debit_account_id = kAbsent; })},
        {S::credit_account_not_found, fresh([](Transfer& t) { t.credit_account_id = kAbsent; })},
        {S::accounts_must_have_the_same_ledger,
         fresh([](Transfer& t) { t.credit_account_id = kOtherLedger; })},
        {S::transfer_must_have_the_same_ledger_as_accounts, fresh([](Transfer& t) { t.ledger = 2; })
        },
    };
}

std::vector<Row> pending_rows() {
    return {
        {S::pending_transfer_not_found, posting([](Transfer& t) { t.pending_id = kAbsent; })},
        {S::pending_transfer_not_found, posting([](Transfer& t) { t.pending_id = kUsedUp; })},
        {S::pending_transfer_not_pending, posting([](Transfer& t) { t.pending_id = kPosted; })},
        {S::pending_transfer_not_pending, voiding([](Transfer& t) { t.pending_id = kPost; })},
        {S::pending_transfer_has_different_debit_account_id,
         posting([](Transfer& t) { t.debit_account_id = kMost; })},
        {S::pending_transfer_has_different_credit_account_id,
         posting([](Transfer& t) { t.credit_account_id = kPlain; })},
        {S::pending_transfer_has_different_ledger, voiding([](Transfer& t) { t.ledger = 2; })},
        {S::pending_transfer_has_different_code, voiding([](Transfer& t) { t.code = 2; })},
        {S::exceeds_pending_transfer_amount, posting([](Transfer& t) { t.amount = 31; })},
        {S::exceeds_pending_transfer_amount, posting([](Transfer& t) { t.amount = kMost - 1; })},
        {S::exceeds_pending_transfer_amount, voiding([](Transfer& t) { t.amount = kMost; })},
        {S::pending_transfer_has_different_amount, voiding([](Transfer& t) { t.amount = 29; })},
        {S::pending_transfer_already_posted, posting([](Transfer& t) {
             t.pending_id = kWasPosted;
             t.amount = 7;
         })},
        {S::pending_transfer_already_voided, voiding([](Transfer& t) { t.pending_id = kWasVoided; })
        },
        {S::pending_transfer_expired, voiding([](Transfer& t) { t.pending_id = kExpired; })},
        {S::created, posting([](Transfer&) {})},
        {S::created, voiding([](Transfer& t) { t.amount = 30; })},
    };
}

std::vector<Row> import_rows() {
    return {
        {S::imported_event_timestamp_must_not_regress,
         imported([](Transfer& t, Fixture& f) { t.timestamp = f.newest; })},
        {S::imported_event_timestamp_must_not_regress, imported([](Transfer& t, Fixture& f) {
             t.timestamp = f.machine.lookup(kYoung).timestamp;
         })},
        {S::imported_event_timestamp_must_not_regress, imported([](Transfer& t, Fixture& f) {
             t = resolving(200, kPending, 1, post_pending_transfer | transfer_imported);
             t.timestamp = f.newest;
         })},
        {S::imported_event_timestamp_must_postdate_debit_account,
         imported([](Transfer& t, Fixture&) { t.debit_account_id = kYoung; })},
        {S::imported_event_timestamp_must_postdate_credit_account,
         imported([](Transfer& t, Fixture&) { t.credit_account_id = kYoung; })},
        {S::imported_event_timeout_must_be_zero, imported([](Transfer& t, Fixture&) {
             t.flags |= transfer_pending;
             t.timeout = 1;
         })},
        {S::created, imported([](Transfer&, Fixture&) {})},
        {S::created, imported([](Transfer& t, Fixture& f) {
             t = resolving(200, kPending, 1, post_pending_transfer | transfer_imported);
             t.timestamp = f.newest + 1;
         })},
    };
}

std::vector<Row> balance_rows() {
    unsigned const pending = transfer_pending;
    return {
        {S::debit_account_already_closed, one(transfer(200, kClosed, kOther, 5))},
        {S::credit_account_already_closed, one(transfer(200, kPlain, kClosed, 5))},
        {S::overflows_debits_pending, one(transfer(200, kDebitsPending, kFresh, kMost, pending))},
        {S::overflows_credits_pending, one(transfer(200, kFresh, kCreditsPending, kMost, pending))},
        {S::overflows_debits_posted, one(transfer(200, kDebitsPosted, kFresh, kMost))},
        {S::overflows_credits_posted, one(transfer(200, kFresh, kCreditsPosted, kMost))},
        {S::overflows_debits, one(transfer(200, kDebitsPending, kFresh, kMost))},
        {S::overflows_debits, one(transfer(200, kItsOther, kFresh, kQuarter, pending))},
        {S::overflows_credits, one(transfer(200, kFresh, kCreditsPending, kMost))},
        {S::overflows_timeout, late(transfer(200, kPlain, kOther, 1))},
        {S::exceeds_credits, one(transfer(200, kDebitsLimited, kOther, 1))},
        {S::exceeds_credits, one(transfer(200, kDebitsLimited, kOther, 1, pending))},
        {S::exceeds_debits, one(transfer(200, kPlain, kCreditsLimited, 1))},
        {S::created, one(transfer(200, kDebitsLimited, kCreditsLimited, 0))},
        {S::created, one(transfer(200, kFresh, kYoung, kMost))},
    };
}

std::vector<Row> rows() {
    std::vector<Row> all;
    for (auto const& part :
         {batch_rows(), existing_rows(), field_rows(), pending_rows(), import_rows(), balance_rows()
         }) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

// ---- a row for every two neighbours ------------------------------------------------------------

std::vector<Pair> batch_neighbours() {
    return {
        {S::linked_event_chain_open,
         S::linked_event_failed,
         "",
         [](Fixture&) {
             return Batch{
                 transfer(0, kPlain, kOther, 1, transfer_linked),
                 transfer(201, kPlain, kOther, 1, transfer_linked)
             };
         }},
        {S::linked_event_failed,
         S::imported_event_expected,
         "",
         [](Fixture& f) {
             auto batch = imported([](Transfer& t, Fixture&) {
                 t.id = 0;
                 t.flags |= transfer_linked;
             })(f);
             batch.push_back(transfer(201, kPlain, kOther, 1));
             return batch;
         }},
        {S::imported_event_expected,
         S::imported_event_not_expected,
         "the first event is imported, or it is not"},
        {S::imported_event_not_expected,
         S::timestamp_must_be_zero,
         "the one is for imported events, the other for those that are not"},
        {S::timestamp_must_be_zero,
         S::imported_event_timestamp_out_of_range,
         "the one is for events that are not imported, the other for those that are"},
        {S::imported_event_timestamp_out_of_range,
         S::imported_event_timestamp_must_not_advance,
         "",
         imported([](Transfer& t, Fixture&) { t.timestamp = ~std::uint64_t{0}; })},
        {S::imported_event_timestamp_must_not_advance,
         S::reserved_flag,
         "",
         imported([](Transfer& t, Fixture&) {
             t.timestamp = kTimestampMax;
             t.flags |= 1U << 9U;
         })},
        {S::reserved_flag, S::id_must_not_be_zero, "", fresh([](Transfer& t) {
             t.flags = 1U << 9U;
             t.id = 0;
         })},
        {S::id_must_not_be_zero, S::id_must_not_be_int_max, "an id is not both"},
        {S::id_must_not_be_int_max,
         S::exists_with_different_flags,
         "no transfer has that id, so none exists with it"},
    };
}

std::vector<Pair> existing_neighbours() {
    return {
        {S::exists_with_different_flags,
         S::exists_with_different_pending_id,
         "",
         existing([](Transfer& t) {
             t.flags = post_pending_transfer;
             t.pending_id = kPending;
         })},
        {S::exists_with_different_pending_id,
         S::exists_with_different_timeout,
         "",
         existing([](Transfer& t) {
             t.pending_id = 1;
             t.timeout = 1;
         })},
        {S::exists_with_different_timeout,
         S::exists_with_different_debit_account_id,
         "",
         existing([](Transfer& t) {
             t.timeout = 1;
             t.debit_account_id = kFresh;
         })},
        {S::exists_with_different_debit_account_id,
         S::exists_with_different_credit_account_id,
         "",
         existing([](Transfer& t) {
             t.debit_account_id = kFresh;
             t.credit_account_id = kFresh;
         })},
        {S::exists_with_different_credit_account_id,
         S::exists_with_different_amount,
         "",
         existing([](Transfer& t) {
             t.credit_account_id = kFresh;
             t.amount = 1;
         })},
        {S::exists_with_different_amount,
         S::exists_with_different_user_data_128,
         "",
         existing([](Transfer& t) {
             t.amount = 1;
             t.user_data_128 = 1;
         })},
        {S::exists_with_different_user_data_128,
         S::exists_with_different_user_data_64,
         "",
         existing([](Transfer& t) {
             t.user_data_128 = 1;
             t.user_data_64 = 1;
         })},
        {S::exists_with_different_user_data_64,
         S::exists_with_different_user_data_32,
         "",
         existing([](Transfer& t) {
             t.user_data_64 = 1;
             t.user_data_32 = 1;
         })},
        {S::exists_with_different_user_data_32,
         S::exists_with_different_ledger,
         "",
         existing([](Transfer& t) {
             t.user_data_32 = 1;
             t.ledger = 2;
         })},
        {S::exists_with_different_ledger,
         S::exists_with_different_code,
         "",
         existing([](Transfer& t) {
             t.ledger = 2;
             t.code = 2;
         })},
        {S::exists_with_different_code, S::exists, "exists means that nothing differs"},
        {S::exists, S::id_already_failed, "an id that is used up names no transfer"},
        {S::id_already_failed,
         S::flags_are_mutually_exclusive,
         "",
         one(resolving(kUsedUp, kPending, 1, post_pending_transfer | void_pending_transfer))},
    };
}

std::vector<Pair> field_neighbours() {
    return {
        {S::flags_are_mutually_exclusive,
         S::debit_account_id_must_not_be_zero,
         "",
         posting([](Transfer& t) {
             t.flags |= transfer_pending;
             t.debit_account_id = 0;
         })},
        {S::debit_account_id_must_not_be_zero,
         S::debit_account_id_must_not_be_int_max,
         "an id is not both"},
        {S::debit_account_id_must_not_be_int_max,
         S::credit_account_id_must_not_be_zero,
         "",
         fresh([](Transfer& t) {
             t.debit_account_id = kMost;
             t.credit_account_id = 0;
         })},
        {S::credit_account_id_must_not_be_zero,
         S::credit_account_id_must_not_be_int_max,
         "an id is not both"},
        {S::credit_account_id_must_not_be_int_max,
         S::accounts_must_be_different,
         "where both are the maximum, the debit account is told before"},
        {S::accounts_must_be_different, S::pending_id_must_be_zero, "", fresh([](Transfer& t) {
             t.credit_account_id = t.debit_account_id;
             t.pending_id = 1;
         })},
        {S::pending_id_must_be_zero,
         S::pending_id_must_not_be_zero,
         "the one is for posts and voids, the other for everything else"},
        {S::pending_id_must_not_be_zero, S::pending_id_must_not_be_int_max, "an id is not both"},
        {S::pending_id_must_not_be_int_max,
         S::pending_id_must_be_different,
         "the transfer's own id would be the maximum, which is told before"},
        {S::pending_id_must_be_different,
         S::timeout_reserved_for_pending_transfer,
         "",
         posting([](Transfer& t) {
             t.pending_id = t.id;
             t.timeout = 1;
         })},
        {S::timeout_reserved_for_pending_transfer,
         S::closing_transfer_must_be_pending,
         "",
         fresh([](Transfer& t) {
             t.timeout = 1;
             t.flags = closing_credit;
         })},
        {S::closing_transfer_must_be_pending,
         S::ledger_must_not_be_zero,
         "",
         fresh([](Transfer& t) {
             t.flags = closing_credit;
             t.ledger = 0;
         })},
        {S::ledger_must_not_be_zero, S::code_must_not_be_zero, "", fresh([](Transfer& t) {
             t.ledger = 0;
             t.code = 0;
         })},
        {S::code_must_not_be_zero, S::debit_account_not_found, "", fresh([](Transfer& t) {
             t.code = 0;
             t.debit_account_id = kAbsent;
         })},
        {S::debit_account_not_found, S::credit_account_not_found, "", fresh([](Transfer& t) {
             t.debit_account_id = kAbsent;
             t.credit_account_id = kAbsent + 1;
         })},
        {S::credit_account_not_found,
         S::accounts_must_have_the_same_ledger,
         "an account that is not there has no ledger"},
        {S::accounts_must_have_the_same_ledger,
         S::transfer_must_have_the_same_ledger_as_accounts,
         "",
         fresh([](Transfer& t) {
             t.credit_account_id = kOtherLedger;
             t.ledger = 3;
         })},
        {S::transfer_must_have_the_same_ledger_as_accounts,
         S::pending_transfer_not_found,
         "the one is for posts and voids, the other for everything else"},
    };
}

std::vector<Pair> pending_neighbours() {
    return {
        {S::pending_transfer_not_found,
         S::pending_transfer_not_pending,
         "a transfer that is not there is neither"},
        {S::pending_transfer_not_pending,
         S::pending_transfer_has_different_debit_account_id,
         "",
         posting([](Transfer& t) {
             t.pending_id = kPosted;
             t.debit_account_id = kFresh;
         })},
        {S::pending_transfer_has_different_debit_account_id,
         S::pending_transfer_has_different_credit_account_id,
         "",
         posting([](Transfer& t) {
             t.debit_account_id = kOther;
             t.credit_account_id = kPlain;
         })},
        {S::pending_transfer_has_different_credit_account_id,
         S::pending_transfer_has_different_ledger,
         "",
         posting([](Transfer& t) {
             t.credit_account_id = kPlain;
             t.ledger = 2;
         })},
        {S::pending_transfer_has_different_ledger,
         S::pending_transfer_has_different_code,
         "",
         posting([](Transfer& t) {
             t.ledger = 2;
             t.code = 2;
         })},
        {S::pending_transfer_has_different_code,
         S::exceeds_pending_transfer_amount,
         "",
         posting([](Transfer& t) {
             t.code = 2;
             t.amount = 31;
         })},
        {S::exceeds_pending_transfer_amount,
         S::pending_transfer_has_different_amount,
         "",
         voiding([](Transfer& t) { t.amount = 31; })},
        {S::pending_transfer_has_different_amount,
         S::pending_transfer_already_posted,
         "",
         voiding([](Transfer& t) {
             t.pending_id = kWasPosted;
             t.amount = 1;
         })},
        {S::pending_transfer_already_posted,
         S::pending_transfer_already_voided,
         "a pending transfer ends once"},
        {S::pending_transfer_already_voided,
         S::pending_transfer_expired,
         "",
         voiding([](Transfer& t) { t.pending_id = kVoidedLate; })},
        {S::pending_transfer_expired,
         S::imported_event_timestamp_must_not_regress,
         "",
         imported([](Transfer& t, Fixture& f) {
             t = resolving(200, kExpired, 1, post_pending_transfer | transfer_imported);
             t.timestamp = f.newest;
         })},
    };
}

std::vector<Pair> import_neighbours() {
    return {
        {S::imported_event_timestamp_must_not_regress,
         S::imported_event_timestamp_must_postdate_debit_account,
         "",
         imported([](Transfer& t, Fixture& f) {
             t.debit_account_id = kYoung;
             t.timestamp = f.newest;
         })},
        {S::imported_event_timestamp_must_postdate_debit_account,
         S::imported_event_timestamp_must_postdate_credit_account,
         "",
         imported([](Transfer& t, Fixture&) {
             t.debit_account_id = kYoung;
             t.credit_account_id = kYounger;
         })},
        {S::imported_event_timestamp_must_postdate_credit_account,
         S::imported_event_timeout_must_be_zero,
         "",
         imported([](Transfer& t, Fixture&) {
             t.credit_account_id = kYounger;
             t.flags |= transfer_pending;
             t.timeout = 1;
         })},
        {S::imported_event_timeout_must_be_zero,
         S::debit_account_already_closed,
         "",
         imported([](Transfer& t, Fixture&) {
             t.debit_account_id = kClosed;
             t.flags |= transfer_pending;
             t.timeout = 1;
         })},
    };
}

std::vector<Pair> balance_neighbours() {
    unsigned const pending = transfer_pending;
    return {
        {S::debit_account_already_closed,
         S::credit_account_already_closed,
         "",
         one(transfer(200, kClosed, kClosedToo, 5))},
        {S::credit_account_already_closed,
         S::overflows_debits_pending,
         "",
         one(transfer(200, kDebitsPending, kClosed, kMost, pending))},
        {S::overflows_debits_pending,
         S::overflows_credits_pending,
         "",
         one(transfer(200, kDebitsPending, kCreditsPending, kMost, pending))},
        {S::overflows_credits_pending,
         S::overflows_debits_posted,
         "",
         one(transfer(200, kDebitsPosted, kCreditsPending, kMost, pending))},
        {S::overflows_debits_posted,
         S::overflows_credits_posted,
         "",
         one(transfer(200, kDebitsPosted, kCreditsPosted, kMost))},
        {S::overflows_credits_posted,
         S::overflows_debits,
         "",
         one(transfer(200, kDebitsPending, kCreditsPosted, kMost))},
        {S::overflows_debits,
         S::overflows_credits,
         "",
         one(transfer(200, kDebitsPending, kCreditsPending, kMost))},
        {S::overflows_credits,
         S::overflows_timeout,
         "",
         late(transfer(200, kPlain, kThreeQuarters, kQuarter))},
        {S::overflows_timeout,
         S::exceeds_credits,
         "",
         late(transfer(200, kDebitsLimited, kOther, 1))},
        {S::exceeds_credits,
         S::exceeds_debits,
         "",
         one(transfer(200, kDebitsLimited, kCreditsLimited, 1))},
    };
}

std::vector<Pair> neighbours() {
    std::vector<Pair> all;
    for (auto const& part :
         {batch_neighbours(),
          existing_neighbours(),
          field_neighbours(),
          pending_neighbours(),
          import_neighbours(),
          balance_neighbours()}) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

}  // namespace

TEST_CASE("create_transfers answers every status, and of two the one with precedence") {
    auto const ask = [](Fixture& fixture, Batch const& batch) {
        return fixture.machine.ask<CreateTransfersAnswer>(CreateTransfers{batch}).results;
    };
    check_table<S, Transfer, Fixture>(rows(), neighbours(), S::exceeds_debits, ask);
}
