#include "ledger/json/answers.h"

#include <charconv>
#include <limits>

namespace florin::ledger {
namespace {

void append_object(std::string& out, Account const& account) {
    ObjectWriter object{out};
    write_fields(object, account);
    object.end();
}

void append_object(std::string& out, Transfer const& transfer) {
    ObjectWriter object{out};
    write_fields(object, transfer);
    object.end();
}

void append_object(std::string& out, AccountBalance const& balance) {
    ObjectWriter object{out};
    object.decimal("timestamp", balance.timestamp);
    object.decimal("debits_pending", balance.debits_pending);
    object.decimal("debits_posted", balance.debits_posted);
    object.decimal("credits_pending", balance.credits_pending);
    object.decimal("credits_posted", balance.credits_posted);
    object.end();
}

template <class Status>
void append_object(std::string& out, EventResult<Status> const& result) {
    ObjectWriter object{out};
    object.text("status", status_name(result.status));
    object.decimal("timestamp", result.timestamp);
    object.end();
}

template <class Objects>
void append_list(std::string& out, std::string_view name, Objects const& objects) {
    ObjectWriter answer{out};
    answer.value(name) += '[';
    bool is_first = true;
    for (auto const& object : objects) {
        if (!is_first) {
            out += ',';
        }
        is_first = false;
        append_object(out, object);
    }
    out += ']';
    answer.end();
}

struct AnswerWriter {
    std::string& out;
    void operator()(CreateAccountsAnswer const& answer) const {
        append_list(out, "results", answer.results);
    }
    void operator()(CreateTransfersAnswer const& answer) const {
        append_list(out, "results", answer.results);
    }
    void operator()(AdvanceClockAnswer const&) const { out += "{}"; }
    void operator()(Receipt const& receipt) const {
        ObjectWriter object{out};
        object.text("status", status_name(receipt.status));
        object.decimal("sequence", receipt.sequence);
        object.end();
    }
    void operator()(AccountsAnswer const& answer) const {
        append_list(out, "accounts", answer.accounts);
    }
    void operator()(TransfersAnswer const& answer) const {
        append_list(out, "transfers", answer.transfers);
    }
    void operator()(BalancesAnswer const& answer) const {
        append_list(out, "balances", answer.balances);
    }
};

}  // namespace

std::string& ObjectWriter::value(std::string_view name) {
    if (!is_first_) {
        out_ += ',';
    }
    is_first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return out_;
}

void ObjectWriter::text(std::string_view name, std::string_view plain) {
    value(name) += '"';
    out_ += plain;
    out_ += '"';
}

void ObjectWriter::decimal(std::string_view name, u128 number) {
    value(name) += '"';
    append_decimal(out_, number);
    out_ += '"';
}

void ObjectWriter::number(std::string_view name, std::uint32_t number) {
    char digits[std::numeric_limits<std::uint32_t>::digits10 + 1];
    char* const end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    value(name).append(digits, end);
}

void ObjectWriter::flags(std::string_view name, std::uint16_t flags, FlagNames names) {
    value(name) += '[';
    bool is_first = true;
    for (std::size_t i = 0; i < names.size(); ++i) {
        if ((flags & (1U << i)) != 0) {
            out_ += is_first ? "\"" : ",\"";
            out_ += names[i];
            out_ += '"';
            is_first = false;
        }
    }
    out_ += ']';
}

void write_fields(ObjectWriter& object, Account const& account) {
    object.decimal("id", account.id);
    object.decimal("debits_pending", account.debits_pending);
    object.decimal("debits_posted", account.debits_posted);
    object.decimal("credits_pending", account.credits_pending);
    object.decimal("credits_posted", account.credits_posted);
    object.decimal("user_data_128", account.user_data_128);
    object.decimal("user_data_64", account.user_data_64);
    object.number("user_data_32", account.user_data_32);
    object.number("ledger", account.ledger);
    object.number("code", account.code);
    object.flags("flags", account.flags, kAccountFlags);
    object.decimal("timestamp", account.timestamp);
}

void write_fields(ObjectWriter& object, Transfer const& transfer) {
    object.decimal("id", transfer.id);
    object.decimal("debit_account_id", transfer.debit_account_id);
    object.decimal("credit_account_id", transfer.credit_account_id);
    object.decimal("amount", transfer.amount);
    object.decimal("pending_id", transfer.pending_id);
    object.decimal("user_data_128", transfer.user_data_128);
    object.decimal("user_data_64", transfer.user_data_64);
    object.number("user_data_32", transfer.user_data_32);
    object.number("timeout", transfer.timeout);
    object.number("ledger", transfer.ledger);
    object.number("code", transfer.code);
    object.flags("flags", transfer.flags, kTransferFlags);
    object.decimal("timestamp", transfer.timestamp);
}

void append_answer(std::string& out, Answer const& answer) {
    std::visit(AnswerWriter{out}, answer);
}

}  // namespace florin::ledger
