#include "ledger/status.h"

namespace florin::ledger {

std::string_view status_name(CreateAccountStatus status) {
    switch (status) {
        case CreateAccountStatus::created: return "created";
        case CreateAccountStatus::linked_event_chain_open: return "linked_event_chain_open";
        case CreateAccountStatus::linked_event_failed: return "linked_event_failed";
        case CreateAccountStatus::imported_event_expected: return "imported_event_expected";
        case CreateAccountStatus::imported_event_not_expected: return "imported_event_not_expected";
        case CreateAccountStatus::timestamp_must_be_zero: return "timestamp_must_be_zero";
        case CreateAccountStatus::imported_event_timestamp_out_of_range:
            return "imported_event_timestamp_out_of_range";
        case CreateAccountStatus::imported_event_timestamp_must_not_advance:
            return "imported_event_timestamp_must_not_advance";
        case CreateAccountStatus::reserved_field: return "reserved_field";
        case CreateAccountStatus::reserved_flag: return "reserved_flag";
        case CreateAccountStatus::id_must_not_be_zero: return "id_must_not_be_zero";
        case CreateAccountStatus::id_must_not_be_int_max: return "id_must_not_be_int_max";
        case CreateAccountStatus::exists_with_different_flags: return "exists_with_different_flags";
        case CreateAccountStatus::exists_with_different_user_data_128:
            return "exists_with_different_user_data_128";
        case CreateAccountStatus::exists_with_different_user_data_64:
            return "exists_with_different_user_data_64";
        case CreateAccountStatus::exists_with_different_user_data_32:
            return "exists_with_different_user_data_32";
        case CreateAccountStatus::exists_with_different_ledger:
            return "exists_with_different_ledger";
        case CreateAccountStatus::exists_with_different_code: return "exists_with_different_code";
        case CreateAccountStatus::exists: return "exists";
        case CreateAccountStatus::flags_are_mutually_exclusive:
            return "flags_are_mutually_exclusive";
        case CreateAccountStatus::debits_pending_must_be_zero: return "debits_pending_must_be_zero";
        case CreateAccountStatus::debits_posted_must_be_zero: return "debits_posted_must_be_zero";
        case CreateAccountStatus::credits_pending_must_be_zero:
            return "credits_pending_must_be_zero";
        case CreateAccountStatus::credits_posted_must_be_zero: return "credits_posted_must_be_zero";
        case CreateAccountStatus::ledger_must_not_be_zero: return "ledger_must_not_be_zero";
        case CreateAccountStatus::code_must_not_be_zero: return "code_must_not_be_zero";
        case CreateAccountStatus::imported_event_timestamp_must_not_regress:
            return "imported_event_timestamp_must_not_regress";
    }
    return "unknown";
}

std::string_view status_name(CreateTransferStatus status) {
    switch (status) {
        case CreateTransferStatus::created: return "created";
        case CreateTransferStatus::linked_event_chain_open: return "linked_event_chain_open";
        case CreateTransferStatus::linked_event_failed: return "linked_event_failed";
        case CreateTransferStatus::imported_event_expected: return "imported_event_expected";
        case CreateTransferStatus::imported_event_not_expected:
            return "imported_event_not_expected";
        case CreateTransferStatus::timestamp_must_be_zero: return "timestamp_must_be_zero";
        case CreateTransferStatus::imported_event_timestamp_out_of_range:
            return "imported_event_timestamp_out_of_range";
        case CreateTransferStatus::imported_event_timestamp_must_not_advance:
            return "imported_event_timestamp_must_not_advance";
        case CreateTransferStatus::reserved_flag: return "reserved_flag";
        case CreateTransferStatus::id_must_not_be_zero: return "id_must_not_be_zero";
        case CreateTransferStatus::id_must_not_be_int_max: return "id_must_not_be_int_max";
        case CreateTransferStatus::exists_with_different_flags:
            return "exists_with_different_flags";
        case CreateTransferStatus::exists_with_different_pending_id:
            return "exists_with_different_pending_id";
        case CreateTransferStatus::exists_with_different_timeout:
            return "exists_with_different_timeout";
        case CreateTransferStatus::exists_with_different_debit_account_id:
            return "exists_with_different_debit_account_id";
        case CreateTransferStatus::exists_with_different_credit_account_id:
            return "exists_with_different_credit_account_id";
        case CreateTransferStatus::exists_with_different_amount:
            return "exists_with_different_amount";
        case CreateTransferStatus::exists_with_different_user_data_128:
            return "exists_with_different_user_data_128";
        case CreateTransferStatus::exists_with_different_user_data_64:
            return "exists_with_different_user_data_64";
        case CreateTransferStatus::exists_with_different_user_data_32:
            return "exists_with_different_user_data_32";
        case CreateTransferStatus::exists_with_different_ledger:
            return "exists_with_different_ledger";
        case CreateTransferStatus::exists_with_different_code: return "exists_with_different_code";
        case CreateTransferStatus::exists: return "exists";
        case CreateTransferStatus::id_already_failed: return "id_already_failed";
        case CreateTransferStatus::flags_are_mutually_exclusive:
            return "flags_are_mutually_exclusive";
        case CreateTransferStatus::debit_account_id_must_not_be_zero:
            return "debit_account_id_must_not_be_zero";
        case CreateTransferStatus::debit_account_id_must_not_be_int_max:
            return "debit_account_id_must_not_be_int_max";
        case CreateTransferStatus::credit_account_id_must_not_be_zero:
            return "credit_account_id_must_not_be_zero";
        case CreateTransferStatus::credit_account_id_must_not_be_int_max:
            return "credit_account_id_must_not_be_int_max";
        case CreateTransferStatus::accounts_must_be_different: return "accounts_must_be_different";
        case CreateTransferStatus::pending_id_must_be_zero: return "pending_id_must_be_zero";
        case CreateTransferStatus::pending_id_must_not_be_zero:
            return "pending_id_must_not_be_zero";
        case CreateTransferStatus::pending_id_must_not_be_int_max:
            return "pending_id_must_not_be_int_max";
        case CreateTransferStatus::pending_id_must_be_different:
            return "pending_id_must_be_different";
        case CreateTransferStatus::timeout_reserved_for_pending_transfer:
            return "timeout_reserved_for_pending_transfer";
        case CreateTransferStatus::closing_transfer_must_be_pending:
            return "closing_transfer_must_be_pending";
        case CreateTransferStatus::ledger_must_not_be_zero: return "ledger_must_not_be_zero";
        case CreateTransferStatus::code_must_not_be_zero: return "code_must_not_be_zero";
        case CreateTransferStatus::debit_account_not_found: return "debit_account_not_found";
        case CreateTransferStatus::credit_account_not_found: return "credit_account_not_found";
        case CreateTransferStatus::accounts_must_have_the_same_ledger:
            return "accounts_must_have_the_same_ledger";
        case CreateTransferStatus::transfer_must_have_the_same_ledger_as_accounts:
            return "transfer_must_have_the_same_ledger_as_accounts";
        case CreateTransferStatus::pending_transfer_not_found: return "pending_transfer_not_found";
        case CreateTransferStatus::pending_transfer_not_pending:
            return "pending_transfer_not_pending";
        case CreateTransferStatus::pending_transfer_has_different_debit_account_id:
            return "pending_transfer_has_different_debit_account_id";
        case CreateTransferStatus::pending_transfer_has_different_credit_account_id:
            return "pending_transfer_has_different_credit_account_id";
        case CreateTransferStatus::pending_transfer_has_different_ledger:
            return "pending_transfer_has_different_ledger";
        case CreateTransferStatus::pending_transfer_has_different_code:
            return "pending_transfer_has_different_code";
        case CreateTransferStatus::exceeds_pending_transfer_amount:
            return "exceeds_pending_transfer_amount";
        case CreateTransferStatus::pending_transfer_has_different_amount:
            return "pending_transfer_has_different_amount";
        case CreateTransferStatus::pending_transfer_already_posted:
            return "pending_transfer_already_posted";
        case CreateTransferStatus::pending_transfer_already_voided:
            return "pending_transfer_already_voided";
        case CreateTransferStatus::pending_transfer_expired: return "pending_transfer_expired";
        case CreateTransferStatus::imported_event_timestamp_must_not_regress:
            return "imported_event_timestamp_must_not_regress";
        case CreateTransferStatus::imported_event_timestamp_must_postdate_debit_account:
            return "imported_event_timestamp_must_postdate_debit_account";
        case CreateTransferStatus::imported_event_timestamp_must_postdate_credit_account:
            return "imported_event_timestamp_must_postdate_credit_account";
        case CreateTransferStatus::imported_event_timeout_must_be_zero:
            return "imported_event_timeout_must_be_zero";
        case CreateTransferStatus::debit_account_already_closed:
            return "debit_account_already_closed";
        case CreateTransferStatus::credit_account_already_closed:
            return "credit_account_already_closed";
        case CreateTransferStatus::overflows_debits_pending: return "overflows_debits_pending";
        case CreateTransferStatus::overflows_credits_pending: return "overflows_credits_pending";
        case CreateTransferStatus::overflows_debits_posted: return "overflows_debits_posted";
        case CreateTransferStatus::overflows_credits_posted: return "overflows_credits_posted";
        case CreateTransferStatus::overflows_debits: return "overflows_debits";
        case CreateTransferStatus::overflows_credits: return "overflows_credits";
        case CreateTransferStatus::overflows_timeout: return "overflows_timeout";
        case CreateTransferStatus::exceeds_credits: return "exceeds_credits";
        case CreateTransferStatus::exceeds_debits: return "exceeds_debits";
    }
    return "unknown";
}

bool is_transient(CreateTransferStatus status) {
    // An if-chain on purpose: every status not named here is permanent, also a future one, until
    // somebody has thought about it.
    return status == CreateTransferStatus::debit_account_not_found ||
           status == CreateTransferStatus::credit_account_not_found ||
           status == CreateTransferStatus::pending_transfer_not_found ||
           status == CreateTransferStatus::debit_account_already_closed ||
           status == CreateTransferStatus::credit_account_already_closed ||
           status == CreateTransferStatus::exceeds_credits ||
           status == CreateTransferStatus::exceeds_debits;
}

}  // namespace florin::ledger
