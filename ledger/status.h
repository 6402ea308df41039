// What the kernel answers for each event of a batch.
//
// The enumerators stand in order of precedence: where an event breaks several rules, the answer is
// the one listed first. Numbers are never reused. Thread rule: values.
#pragma once

#include <cstdint>
#include <string_view>

namespace florin::ledger {

// Answers of create_accounts; everything but created leaves the books as they were.
enum class CreateAccountStatus : std::uint8_t {
    created = 0,
    linked_event_chain_open = 1,
    linked_event_failed = 2,
    imported_event_expected = 3,
    imported_event_not_expected = 4,
    timestamp_must_be_zero = 5,
    imported_event_timestamp_out_of_range = 6,
    imported_event_timestamp_must_not_advance = 7,
    reserved_field = 8,
    reserved_flag = 9,
    id_must_not_be_zero = 10,
    id_must_not_be_int_max = 11,
    exists_with_different_flags = 12,
    exists_with_different_user_data_128 = 13,
    exists_with_different_user_data_64 = 14,
    exists_with_different_user_data_32 = 15,
    exists_with_different_ledger = 16,
    exists_with_different_code = 17,
    exists = 18,
    flags_are_mutually_exclusive = 19,
    debits_pending_must_be_zero = 20,
    debits_posted_must_be_zero = 21,
    credits_pending_must_be_zero = 22,
    credits_posted_must_be_zero = 23,
    ledger_must_not_be_zero = 24,
    code_must_not_be_zero = 25,
    imported_event_timestamp_must_not_regress = 26,
};

// Answers of create_transfers; everything but created leaves the books as they were.
enum class CreateTransferStatus : std::uint8_t {
    created = 0,
    linked_event_chain_open = 1,
    linked_event_failed = 2,
    imported_event_expected = 3,
    imported_event_not_expected = 4,
    timestamp_must_be_zero = 5,
    imported_event_timestamp_out_of_range = 6,
    imported_event_timestamp_must_not_advance = 7,
    reserved_flag = 8,
    id_must_not_be_zero = 9,
    id_must_not_be_int_max = 10,
    exists_with_different_flags = 11,
    exists_with_different_pending_id = 12,
    exists_with_different_timeout = 13,
    exists_with_different_debit_account_id = 14,
    exists_with_different_credit_account_id = 15,
    exists_with_different_amount = 16,
    exists_with_different_user_data_128 = 17,
    exists_with_different_user_data_64 = 18,
    exists_with_different_user_data_32 = 19,
    exists_with_different_ledger = 20,
    exists_with_different_code = 21,
    exists = 22,
    id_already_failed = 23,
    flags_are_mutually_exclusive = 24,
    debit_account_id_must_not_be_zero = 25,
    debit_account_id_must_not_be_int_max = 26,
    credit_account_id_must_not_be_zero = 27,
    credit_account_id_must_not_be_int_max = 28,
    accounts_must_be_different = 29,
    pending_id_must_be_zero = 30,
    pending_id_must_not_be_zero = 31,
    pending_id_must_not_be_int_max = 32,
    pending_id_must_be_different = 33,
    timeout_reserved_for_pending_transfer = 34,
    closing_transfer_must_be_pending = 35,
    ledger_must_not_be_zero = 36,
    code_must_not_be_zero = 37,
    debit_account_not_found = 38,
    credit_account_not_found = 39,
    accounts_must_have_the_same_ledger = 40,
    transfer_must_have_the_same_ledger_as_accounts = 41,
    pending_transfer_not_found = 42,
    pending_transfer_not_pending = 43,
    pending_transfer_has_different_debit_account_id = 44,
    pending_transfer_has_different_credit_account_id = 45,
    pending_transfer_has_different_ledger = 46,
    pending_transfer_has_different_code = 47,
    exceeds_pending_transfer_amount = 48,
    pending_transfer_has_different_amount = 49,
    pending_transfer_already_posted = 50,
    pending_transfer_already_voided = 51,
    pending_transfer_expired = 52,
    imported_event_timestamp_must_not_regress = 53,
    imported_event_timestamp_must_postdate_debit_account = 54,
    imported_event_timestamp_must_postdate_credit_account = 55,
    imported_event_timeout_must_be_zero = 56,
    debit_account_already_closed = 57,
    credit_account_already_closed = 58,
    overflows_debits_pending = 59,
    overflows_credits_pending = 60,
    overflows_debits_posted = 61,
    overflows_credits_posted = 62,
    overflows_debits = 63,
    overflows_credits = 64,
    overflows_timeout = 65,
    exceeds_credits = 66,
    exceeds_debits = 67,
};

// The wire name of a status, e.g. "exceeds_credits".
std::string_view status_name(CreateAccountStatus status);
std::string_view status_name(CreateTransferStatus status);

// True where the refusal depends on the state of the books and may pass: it uses up the id, so that
// a retry of the same transfer can never succeed behind the caller's back (id_already_failed).
bool is_transient(CreateTransferStatus status);

}  // namespace florin::ledger
