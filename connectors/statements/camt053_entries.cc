#include "connectors/statements/camt053_entries.h"

#include "connectors/statements/text.h"

#include <algorithm>
#include <array>

namespace florin::connectors::statements {
namespace {

Money signed_amount(Money absolute, bool is_credit) {
    return {is_credit ? absolute.minor : -absolute.minor, absolute.currency};
}

}  // namespace

// The elements that are read, below Stmt. All others are checked for their bounds and skipped.
enum class Camt053Entries::Leaf {
    id,
    created,
    to_date,
    account,
    account_currency,
    balance_code,
    balance_amount,
    balance_sign,
    balance_date,
    entry_reference,
    entry_amount,
    entry_sign,
    entry_reversal,
    entry_status,
    booking_date,
    value_date,
    bank_reference,
    detail_end_to_end,
    detail_bank_reference,
    detail_amount,
    detail_instructed_amount,
    detail_sign,
    debtor_name,
    debtor_account,
    creditor_name,
    creditor_account,
    remittance,
};

std::map<std::string_view, Camt053Entries::Leaf> const& Camt053Entries::leaves() {
    static std::map<std::string_view, Leaf> const all{
        {"Id", Leaf::id},
        {"CreDtTm", Leaf::created},
        {"FrToDt/ToDtTm", Leaf::to_date},
        {"Acct/Id/IBAN", Leaf::account},
        {"Acct/Id/Othr/Id", Leaf::account},
        {"Acct/Ccy", Leaf::account_currency},
        {"Bal/Tp/CdOrPrtry/Cd", Leaf::balance_code},
        {"Bal/Amt", Leaf::balance_amount},
        {"Bal/CdtDbtInd", Leaf::balance_sign},
        {"Bal/Dt/Dt", Leaf::balance_date},
        {"Bal/Dt/DtTm", Leaf::balance_date},
        {"Ntry/NtryRef", Leaf::entry_reference},
        {"Ntry/Amt", Leaf::entry_amount},
        {"Ntry/CdtDbtInd", Leaf::entry_sign},
        {"Ntry/RvslInd", Leaf::entry_reversal},
        {"Ntry/Sts", Leaf::entry_status},     // to version 06
        {"Ntry/Sts/Cd", Leaf::entry_status},  // from version 07
        {"Ntry/Sts/Prtry", Leaf::entry_status},
        {"Ntry/BookgDt/Dt", Leaf::booking_date},
        {"Ntry/BookgDt/DtTm", Leaf::booking_date},
        {"Ntry/ValDt/Dt", Leaf::value_date},
        {"Ntry/ValDt/DtTm", Leaf::value_date},
        {"Ntry/AcctSvcrRef", Leaf::bank_reference},
        {"Ntry/NtryDtls/TxDtls/Refs/EndToEndId", Leaf::detail_end_to_end},
        {"Ntry/NtryDtls/TxDtls/Refs/AcctSvcrRef", Leaf::detail_bank_reference},
        {"Ntry/NtryDtls/TxDtls/Amt", Leaf::detail_amount},  // from version 03
        {"Ntry/NtryDtls/TxDtls/AmtDtls/TxAmt/Amt", Leaf::detail_instructed_amount},
        {"Ntry/NtryDtls/TxDtls/CdtDbtInd", Leaf::detail_sign},
        {"Ntry/NtryDtls/TxDtls/RltdPties/Dbtr/Nm", Leaf::debtor_name},
        {"Ntry/NtryDtls/TxDtls/RltdPties/Dbtr/Pty/Nm", Leaf::debtor_name},  // from version 07
        {"Ntry/NtryDtls/TxDtls/RltdPties/DbtrAcct/Id/IBAN", Leaf::debtor_account},
        {"Ntry/NtryDtls/TxDtls/RltdPties/DbtrAcct/Id/Othr/Id", Leaf::debtor_account},
        {"Ntry/NtryDtls/TxDtls/RltdPties/Cdtr/Nm", Leaf::creditor_name},
        {"Ntry/NtryDtls/TxDtls/RltdPties/Cdtr/Pty/Nm", Leaf::creditor_name},
        {"Ntry/NtryDtls/TxDtls/RltdPties/CdtrAcct/Id/IBAN", Leaf::creditor_account},
        {"Ntry/NtryDtls/TxDtls/RltdPties/CdtrAcct/Id/Othr/Id", Leaf::creditor_account},
        {"Ntry/NtryDtls/TxDtls/RmtInf/Ustrd", Leaf::remittance},
    };
    return all;
}

Result<void> Camt053Entries::open(std::string_view path) {
    if (path.empty()) {
        statement_ = {};
    } else if (path == "Bal") {
        balance_ = {};
        return before_entries();
    } else if (path == "Id" || path == "Acct") {
        return before_entries();
    } else if (path == "Ntry") {
        has_entries_ = true;
        entry_ = {};
    } else if (path == "Ntry/NtryDtls/TxDtls") {
        detail_ = {};
    }
    return {};
}

Result<void> Camt053Entries::close(
    std::string_view path, std::string_view text, std::string_view currency
) {
    if (path.empty()) {
        return end_statement();
    }
    if (path == "Bal") {
        return end_balance();
    }
    if (path == "Ntry") {
        return end_entry();
    }
    if (path == "Ntry/NtryDtls/TxDtls") {
        end_detail();
        return {};
    }
    auto const leaf = leaves().find(path);
    // A group's text is the white space in it: Ntry/Sts holds a code or another element.
    if (leaf == leaves().end() || (text.empty() && path == "Ntry/Sts")) {
        return {};
    }
    return take(leaf->second, text, currency);
}

Result<void> Camt053Entries::told(Result<void> answer) {
    has_sink_refused_ = !answer;
    return answer;
}

Result<void> Camt053Entries::before_entries() const {
    return has_entries_ ? fail(Errc::malformed, "stands behind an entry") : Result<void>{};
}

Result<void> Camt053Entries::take(Leaf leaf, std::string_view text, std::string_view currency) {
    auto& head = statement_.head;
    switch (leaf) {
        case Leaf::id: return set(head.id, text);
        case Leaf::created: return set_date(statement_.created, text);
        case Leaf::to_date: return set_date(statement_.to_date, text);
        case Leaf::account: return set(head.account, text);
        case Leaf::account_currency: return set_account_currency(text);
        case Leaf::balance_code: return set(balance_.code, text);
        case Leaf::balance_amount: return set_amount(balance_.amount, text, currency);
        case Leaf::balance_sign: return set_sign(balance_.is_credit, text);
        case Leaf::balance_date: return set_date(balance_.date, text);
        case Leaf::entry_reference: return set(entry_.reference, text);
        case Leaf::entry_amount: return set_amount(entry_.amount, text, currency);
        case Leaf::entry_sign: return set_sign(entry_.is_credit, text);
        case Leaf::entry_reversal: return set(entry_.reversal, text);
        case Leaf::entry_status: return set(entry_.status, text);
        case Leaf::booking_date: return set_date(entry_.booking_date, text);
        case Leaf::value_date: return set_date(entry_.value_date, text);
        case Leaf::bank_reference: return set(entry_.bank_reference, text);
        case Leaf::detail_end_to_end: return set(detail_.end_to_end, text);
        case Leaf::detail_bank_reference: return set(detail_.bank_reference, text);
        case Leaf::detail_amount: return set_amount(detail_.amount, text, currency);
        case Leaf::detail_instructed_amount:
            return set_amount(detail_.instructed_amount, text, currency);
        case Leaf::detail_sign: return set_sign(detail_.is_credit, text);
        case Leaf::debtor_name: return set(detail_.debtor.name, text);
        case Leaf::debtor_account: return set(detail_.debtor.account, text);
        case Leaf::creditor_name: return set(detail_.creditor.name, text);
        case Leaf::creditor_account: return set(detail_.creditor.account, text);
        case Leaf::remittance: return add_remittance(text);
    }
    return {};
}

Result<void> Camt053Entries::set(std::string& field, std::string_view text) {
    if (!field.empty()) {
        return fail(Errc::malformed, "is there twice");
    }
    field = text;  // an empty element says no more than a missing one
    return {};
}

Result<void> Camt053Entries::set_date(std::string& field, std::string_view text) {
    auto const day = text.substr(0, 10);
    bool const ends_well =
        text.size() <= 10 || std::string_view{"TZ+-"}.find(text[10]) != std::string_view::npos;
    if (!is_date(day) || !ends_well) {
        return fail(Errc::malformed, "'" + shown(text) + "' is not a date");
    }
    return set(field, day);
}

Result<void> Camt053Entries::set_sign(std::optional<bool>& field, std::string_view text) {
    if (text != "CRDT" && text != "DBIT") {
        return fail(Errc::malformed, "'" + shown(text) + "' is not CRDT or DBIT");
    }
    if (field) {
        return fail(Errc::malformed, "is there twice");
    }
    field = text == "CRDT";
    return {};
}

Result<Currency> Camt053Entries::currency_from(std::string_view text) {
    auto const currency = Currency::from_alphabetic(text);
    if (!currency || currency->alphabetic() != text) {
        return fail(Errc::malformed, "'" + shown(text) + "' is not a currency");
    }
    return *currency;
}

Result<void> Camt053Entries::set_amount(
    std::optional<Money>& field, std::string_view text, std::string_view code
) {
    if (field) {
        return fail(Errc::malformed, "is there twice");
    }
    FLORIN_TRY(auto const currency, currency_from(code));
    auto const money = parse_decimal(text, currency);
    if (!money || text.starts_with('-')) {
        return fail(
            Errc::malformed, "'" + shown(text) + "' is not an amount in " + std::string{code}
        );
    }
    field = *money;
    return {};
}

Result<void> Camt053Entries::set_account_currency(std::string_view text) {
    FLORIN_TRY(auto const currency, currency_from(text));
    statement_.currency = currency;
    return {};
}

Result<void> Camt053Entries::add_remittance(std::string_view text) {
    auto& all = detail_.remittance;
    if (text.empty()) {
        return {};
    }
    if (all.size() + text.size() > limits_.text_bytes_max) {
        return fail(Errc::out_of_range, "the remittance information is too long");
    }
    all += all.empty() ? "" : " ";
    all += text;
    return {};
}

Result<void> Camt053Entries::same_currency(Money amount) {
    if (!statement_.currency) {
        statement_.currency = amount.currency;
    }
    if (*statement_.currency != amount.currency) {
        return fail(
            Errc::malformed,
            "an amount in " + std::string{amount.currency.alphabetic()} + " on an account in " +
                std::string{statement_.currency->alphabetic()}
        );
    }
    return {};
}

Result<void> Camt053Entries::end_balance() {
    auto* const target = balance_.code == "OPBD"   ? &statement_.opening
                         : balance_.code == "PRCD" ? &statement_.previous_closing
                         : balance_.code == "CLBD" ? &statement_.closing
                                                   : nullptr;
    if (target == nullptr) {
        return {};  // available, forward, intermediate and the bank's own kinds
    }
    if (!balance_.amount || !balance_.is_credit) {
        return fail(Errc::malformed, "a balance without Amt or CdtDbtInd");
    }
    if (*target) {
        return fail(Errc::malformed, "a second balance " + balance_.code);
    }
    FLORIN_TRY_VOID(same_currency(*balance_.amount));
    *target = signed_amount(*balance_.amount, *balance_.is_credit);
    if (balance_.code == "CLBD") {
        statement_.closing_date = balance_.date;
    }
    return {};
}

void Camt053Entries::end_detail() {
    ++entry_.detail_count;
    if (entry_.detail_count > limits_.batch_max) {
        entry_.details.clear();
    } else {
        entry_.details.push_back(std::move(detail_));
    }
}

Result<void> Camt053Entries::end_entry() {
    if (!entry_.amount || !entry_.is_credit || entry_.status.empty()) {
        return fail(Errc::malformed, "an entry without Amt, CdtDbtInd or Sts");
    }
    constexpr std::array<std::string_view, 3> kNotBooked{"PDNG", "INFO", "FUTR"};
    if (std::ranges::find(kNotBooked, entry_.status) != kNotBooked.end()) {
        return {};
    }
    if (entry_.status != "BOOK") {
        return fail(Errc::malformed, "Sts '" + shown(entry_.status) + "' is not known");
    }
    if (!entry_.reversal.empty() && entry_.reversal != "true" && entry_.reversal != "false" &&
        entry_.reversal != "1" && entry_.reversal != "0") {
        return fail(Errc::malformed, "RvslInd '" + shown(entry_.reversal) + "' is not a boolean");
    }
    FLORIN_TRY_VOID(same_currency(*entry_.amount));
    FLORIN_TRY_VOID(begin());
    auto const amount = signed_amount(*entry_.amount, *entry_.is_credit);
    FLORIN_TRY(
        statement_.sum, checked_add(statement_.sum.value_or(Money{0, amount.currency}), amount)
    );
    auto const parts = parts_of(amount);
    if (!parts.empty()) {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            FLORIN_TRY_VOID(give(parts[i], entry_.details[i]));
        }
        return {};
    }
    // One transaction says who and why; several, which do not add up, say nothing for sure.
    return give(amount, entry_.details.size() == 1 ? entry_.details[0] : Detail{});
}

std::vector<Money> Camt053Entries::parts_of(Money entry) const {
    std::vector<Money> parts;
    if (entry_.details.size() < 2) {
        return {};
    }
    auto sum = Money{0, entry.currency};
    for (auto const& detail : entry_.details) {
        auto const& amount = detail.amount ? detail.amount : detail.instructed_amount;
        if (!amount || amount->currency != entry.currency) {
            return {};
        }
        parts.push_back(signed_amount(*amount, detail.is_credit.value_or(*entry_.is_credit)));
        auto const more = checked_add(sum, parts.back());
        if (!more) {
            return {};
        }
        sum = *more;
    }
    return sum == entry ? parts : std::vector<Money>{};
}

Result<void> Camt053Entries::give(Money amount, Detail const& detail) {
    if (lines_ == limits_.lines_max) {
        return fail(
            Errc::out_of_range, "more than " + std::to_string(limits_.lines_max) + " lines"
        );
    }
    bool const is_reversal = entry_.reversal == "true" || entry_.reversal == "1";
    // Parties keep the part they had in the payment, also when it comes back.
    bool const is_from_us = (amount.minor < 0) != is_reversal;
    auto const& other = is_from_us ? detail.creditor : detail.debtor;
    bool const has_end_to_end = !detail.end_to_end.empty() && detail.end_to_end != "NOTPROVIDED";
    auto const& booked = !entry_.booking_date.empty() ? entry_.booking_date
                         : !entry_.value_date.empty() ? entry_.value_date
                                                      : statement_.head.date;
    return told(sink_.line(StatementLine{
        .number = ++lines_,
        .type = LineType::entry,
        .amount = amount,
        .reference = has_end_to_end ? detail.end_to_end : entry_.reference,
        .booking_date = booked,
        .value_date = entry_.value_date,
        .bank_reference =
            !detail.bank_reference.empty() ? detail.bank_reference : entry_.bank_reference,
        .entry_reference = entry_.reference,
        .counterparty_name = other.name,
        .counterparty_account = other.account,
        .remittance = detail.remittance,
        .is_reversal = is_reversal,
    }));
}

Result<void> Camt053Entries::begin() {
    if (statement_.has_begun) {
        return {};
    }
    auto& head = statement_.head;
    if (head.id.empty() || head.account.empty()) {
        return fail(Errc::malformed, "a statement without Id or account");
    }
    head.level = Level::bank;
    head.currency = statement_.currency ? statement_.currency->alphabetic() : "";
    head.date = !statement_.closing_date.empty() ? statement_.closing_date
                : !statement_.to_date.empty()    ? statement_.to_date
                                                 : statement_.created;
    if (head.date.empty()) {
        return fail(Errc::malformed, "a statement without a date");
    }
    head.opening = statement_.opening ? statement_.opening : statement_.previous_closing;
    head.closing = statement_.closing;
    statement_.has_begun = true;
    return told(sink_.begin(head));
}

Result<void> Camt053Entries::end_statement() {
    FLORIN_TRY_VOID(begin());
    auto const& head = statement_.head;
    if (head.opening && head.closing) {
        auto const zero = Money{0, head.opening->currency};
        FLORIN_TRY(auto const sum, checked_add(*head.opening, statement_.sum.value_or(zero)));
        if (sum != *head.closing) {
            return fail(
                Errc::malformed,
                "opening balance and booked entries make " + to_string(sum) +
                    ", the closing balance is " + to_string(*head.closing)
            );
        }
    }
    ++statements_;
    has_entries_ = false;
    return told(sink_.end(head));
}

}  // namespace florin::connectors::statements
