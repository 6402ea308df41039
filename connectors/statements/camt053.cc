#include "connectors/statements/camt053.h"

#include "connectors/statements/text.h"

#include <libxml/parser.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

namespace florin::connectors::statements {
namespace {

constexpr std::string_view kVersions[] = {"02", "03", "04", "05", "06", "07", "08"};
constexpr std::size_t kChunkBytes = 65'536;
constexpr std::size_t kNameBytesMax = 64;
constexpr std::string_view kStatementPath = "Document/BkToCstmrStmt/Stmt";

std::string_view view_of(xmlChar const* text) {
    return text == nullptr ? std::string_view{} : reinterpret_cast<char const*>(text);
}

void say_nothing(void* /*context*/, char const* /*format*/, ...) {}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    auto const first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The encoding that an XML declaration names; empty where there is none, which means UTF-8.
Result<std::string> declared_encoding(std::string_view prefix) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (prefix.starts_with(kByteOrderMark)) {
        prefix.remove_prefix(kByteOrderMark.size());
    }
    if (prefix.starts_with("\xff\xfe") || prefix.starts_with("\xfe\xff") ||
        prefix.substr(0, 4).find('\0') != std::string_view::npos) {
        return std::string{"UTF-16"};
    }
    if (!prefix.starts_with("<?xml")) {
        return std::string{};
    }
    auto const declaration = prefix.substr(0, prefix.find("?>"));
    auto const at = declaration.find("encoding");
    if (at == std::string_view::npos) {
        return std::string{};
    }
    auto const opened = declaration.find_first_of("\"'", at);
    auto const closed = opened == std::string_view::npos
                            ? opened
                            : declaration.find(declaration[opened], opened + 1);
    if (closed == std::string_view::npos) {
        return fail(Errc::malformed, "line 1: the XML declaration is not well-formed");
    }
    std::string name{declaration.substr(opened + 1, closed - opened - 1)};
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return name;
}

// The library would convert from whatever the system knows, UTF-7 and stateful encodings included.
Result<void> check_encoding(std::string_view prefix) {
    constexpr std::array<std::string_view, 6> kRead{
        "", "UTF-8", "US-ASCII", "ISO-8859-1", "ISO-8859-15", "WINDOWS-1252"
    };
    FLORIN_TRY(auto const name, declared_encoding(prefix));
    if (std::ranges::find(kRead, name) == kRead.end()) {
        return fail(Errc::unsupported, "line 1: the encoding '" + shown(name) + "' is not read");
    }
    return {};
}

// The elements that are read, below Stmt. All others are checked for their bounds and skipped.
enum class Leaf {
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

std::map<std::string_view, Leaf> const& leaves() {
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

struct Party {
    std::string name;
    std::string account;
};

struct Balance {
    std::string code;
    std::optional<Money> amount;
    std::optional<bool> is_credit;
    std::string date;
};

struct Detail {
    std::string end_to_end;
    std::string bank_reference;
    std::optional<Money> amount;
    std::optional<Money> instructed_amount;
    std::optional<bool> is_credit;
    Party debtor, creditor;
    std::string remittance;
};

struct Entry {
    std::string reference;
    std::optional<Money> amount;
    std::optional<bool> is_credit;
    std::string reversal;
    std::string status;
    std::string booking_date;
    std::string value_date;
    std::string bank_reference;
    std::vector<Detail> details;
    std::uint64_t detail_count = 0;
};

struct Statement {
    StatementHead head;
    std::string created, to_date, closing_date;
    std::optional<Currency> currency;
    std::optional<Money> opening, previous_closing, closing;
    std::optional<Money> sum;  // of the booked entries
    bool has_begun = false;    // the sink knows of it
};

Money signed_amount(Money absolute, bool is_credit) {
    return {is_credit ? absolute.minor : -absolute.minor, absolute.currency};
}

// Meaning: from elements with their text to statements and lines. Knows nothing of the parser.
class Interpreter {
public:
    Interpreter(StatementSink& sink, Camt053Limits const& limits) : sink_{sink}, limits_{limits} {}

    // Paths are below Stmt; Stmt itself is "".
    Result<void> open(std::string_view path) {
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

    Result<void> close(std::string_view path, std::string_view text, std::string_view currency) {
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

    std::uint64_t statements() const { return statements_; }
    // The last error was the sink's: it goes to the caller as it is.
    bool has_sink_refused() const { return has_sink_refused_; }

private:
    Result<void> told(Result<void> answer) {
        has_sink_refused_ = !answer;
        return answer;
    }

    Result<void> before_entries() const {
        return has_entries_ ? fail(Errc::malformed, "stands behind an entry") : Result<void>{};
    }

    Result<void> take(Leaf leaf, std::string_view text, std::string_view currency) {
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

    static Result<void> set(std::string& field, std::string_view text) {
        if (!field.empty()) {
            return fail(Errc::malformed, "is there twice");
        }
        field = text;  // an empty element says no more than a missing one
        return {};
    }

    // An ISO date, or date and time; what is behind the day (time, zone) is not needed.
    static Result<void> set_date(std::string& field, std::string_view text) {
        auto const day = text.substr(0, 10);
        bool const ends_well =
            text.size() <= 10 || std::string_view{"TZ+-"}.find(text[10]) != std::string_view::npos;
        if (!is_date(day) || !ends_well) {
            return fail(Errc::malformed, "'" + shown(text) + "' is not a date");
        }
        return set(field, day);
    }

    static Result<void> set_sign(std::optional<bool>& field, std::string_view text) {
        if (text != "CRDT" && text != "DBIT") {
            return fail(Errc::malformed, "'" + shown(text) + "' is not CRDT or DBIT");
        }
        if (field) {
            return fail(Errc::malformed, "is there twice");
        }
        field = text == "CRDT";
        return {};
    }

    static Result<Currency> currency_from(std::string_view text) {
        auto const currency = Currency::from_alphabetic(text);
        if (!currency || currency->alphabetic() != text) {
            return fail(Errc::malformed, "'" + shown(text) + "' is not a currency");
        }
        return *currency;
    }

    // Without sign: CdtDbtInd gives it.
    static Result<void> set_amount(
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

    Result<void> set_account_currency(std::string_view text) {
        FLORIN_TRY(auto const currency, currency_from(text));
        statement_.currency = currency;
        return {};
    }

    Result<void> add_remittance(std::string_view text) {
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

    // The first to name a currency decides for the statement.
    Result<void> same_currency(Money amount) {
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

    Result<void> end_balance() {
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

    void end_detail() {
        ++entry_.detail_count;
        if (entry_.detail_count > limits_.batch_max) {
            entry_.details.clear();
        } else {
            entry_.details.push_back(std::move(detail_));
        }
    }

    Result<void> end_entry() {
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
            return fail(
                Errc::malformed, "RvslInd '" + shown(entry_.reversal) + "' is not a boolean"
            );
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

    // The amounts of the transactions, if they make up the entry: all there, in its currency, with
    // its sum. Empty otherwise.
    std::vector<Money> parts_of(Money entry) const {
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

    Result<void> give(Money amount, Detail const& detail) {
        if (lines_ == limits_.lines_max) {
            return fail(
                Errc::out_of_range, "more than " + std::to_string(limits_.lines_max) + " lines"
            );
        }
        bool const is_reversal = entry_.reversal == "true" || entry_.reversal == "1";
        // Parties keep the part they had in the payment, also when it comes back.
        bool const is_from_us = (amount.minor < 0) != is_reversal;
        auto const& other = is_from_us ? detail.creditor : detail.debtor;
        bool const has_end_to_end =
            !detail.end_to_end.empty() && detail.end_to_end != "NOTPROVIDED";
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

    // Not before the first booked entry or the end: until then the currency may be unknown.
    Result<void> begin() {
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

    Result<void> end_statement() {
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

    StatementSink& sink_;
    Camt053Limits const& limits_;
    Statement statement_;
    Balance balance_;
    Entry entry_;
    Detail detail_;
    bool has_entries_ = false;
    bool has_sink_refused_ = false;
    std::uint64_t lines_ = 0;
    std::uint64_t statements_ = 0;
};

// Form: from bytes to elements, bounded. Callbacks run inside the C library, so nothing may be
// thrown through them: the first error is kept, what comes after it in the same piece of the file
// is ignored, and no other piece is given. (xmlStopParser in a callback frees what the library
// still uses when it reports an encoding error.)
class Parser {
public:
    Parser(StatementSink& sink, Camt053Limits const& limits)
        : limits_{limits}, interpreter_{sink, limits} {
        handler_.initialized = XML_SAX2_MAGIC;
        handler_.startElementNs = on_open;
        handler_.endElementNs = on_close;
        handler_.characters = on_text;
        handler_.ignorableWhitespace = on_text;
        handler_.cdataBlock = on_text;
        handler_.internalSubset = on_document_type;
        handler_.reference = on_reference;
        handler_.processingInstruction = on_instruction;
        handler_.comment = on_comment;
        handler_.serror = on_error;
    }

    Result<void> read(std::istream& in) {
        xmlInitParser();
        // Conversion errors would go to standard error, with bytes of the file in them.
        xmlSetGenericErrorFunc(nullptr, say_nothing);
        context_.reset(xmlCreatePushParserCtxt(&handler_, this, nullptr, 0, nullptr));
        if (!context_) {
            return fail(Errc::io, "cannot make an XML parser");
        }
        xmlCtxtUseOptions(context_.get(), XML_PARSE_NONET);
        auto const chunk = std::make_unique<char[]>(kChunkBytes);
        bool is_first = true;
        while (in) {
            in.read(chunk.get(), kChunkBytes);
            auto const size = static_cast<int>(in.gcount());
            if (in.bad()) {
                return fail(Errc::io, "cannot read the statement");
            }
            if (is_first) {
                FLORIN_TRY_VOID(check_encoding({chunk.get(), static_cast<std::size_t>(in.gcount())})
                );
                is_first = false;
            }
            silent_bytes_ += static_cast<std::size_t>(size);
            FLORIN_TRY_VOID(parse(chunk.get(), size, false));
            if (silent_bytes_ > limits_.markup_bytes_max) {
                refuse(Errc::out_of_range, "a tag, comment or instruction is too long");
                return std::unexpected{*error_};
            }
        }
        FLORIN_TRY_VOID(parse(nullptr, 0, true));
        if (interpreter_.statements() == 0) {
            return fail(Errc::malformed, "the file holds no statement");
        }
        return {};
    }

private:
    struct Freer {
        void operator()(xmlParserCtxtPtr context) const noexcept {
            xmlFreeDoc(context->myDoc);
            xmlFreeParserCtxt(context);
        }
    };

    static Parser& of(void* self) { return *static_cast<Parser*>(self); }

    Result<void> parse(char const* bytes, int size, bool is_last) {
        auto const status = xmlParseChunk(context_.get(), bytes, size, is_last ? 1 : 0);
        if (status != 0 && !error_) {
            refuse(Errc::malformed, "not well-formed");
        }
        return error_ ? Result<void>{std::unexpected{*error_}} : Result<void>{};
    }

    // The first error counts: those behind it are its consequences.
    void refuse(Errc code, std::string const& what) {
        if (!error_) {
            auto const* const input = context_->input;
            auto const line = input == nullptr ? 0 : input->line;
            error_ = Error{
                code,
                "line " + std::to_string(line) + ": " + (path_.empty() ? "" : path_ + ": ") + what
            };
        }
    }

    void keep(Result<void> const& result) {
        if (!result && interpreter_.has_sink_refused()) {
            error_ = error_ ? error_ : result.error();
        } else if (!result) {
            refuse(result.error().code, result.error().context);
        }
    }

    // The path below Stmt, where we are in one.
    std::optional<std::string_view> inner_path() const {
        std::string_view const path = path_;
        if (!path.starts_with(kStatementPath)) {
            return std::nullopt;
        }
        if (path.size() == kStatementPath.size()) {
            return std::string_view{};
        }
        return path[kStatementPath.size()] == '/'
                   ? std::optional{path.substr(kStatementPath.size() + 1)}
                   : std::nullopt;
    }

    void open(
        std::string_view name,
        std::string_view space,
        std::size_t attributes,
        std::string_view currency
    ) {
        silent_bytes_ = 0;
        text_.clear();
        if (error_) {
            return;
        }
        if (depth_ == limits_.depth_max) {
            return refuse(Errc::out_of_range, "elements nest too deeply");
        }
        if (name.size() > kNameBytesMax || attributes > limits_.attributes_max) {
            return refuse(
                Errc::out_of_range, "an element's name is too long or it has too many attributes"
            );
        }
        ++depth_;
        // Supplementary data is of other namespaces and nothing that we read.
        if (skipped_from_ != 0) {
            return;
        }
        if (depth_ == 1) {
            keep(check_version(name, space));
        } else if (space != namespace_) {
            return refuse(
                Errc::malformed,
                "'" + shown(name) + "' is of another namespace: '" + shown(space) + "'"
            );
        }
        if (name == "SplmtryData") {
            skipped_from_ = depth_;
            return;
        }
        path_ += (path_.empty() ? "" : "/") + std::string{name};
        currency_ = currency;
        if (auto const inner = inner_path(); inner && !error_) {
            keep(interpreter_.open(*inner));
        }
    }

    void close() {
        silent_bytes_ = 0;
        if (error_) {
            return;
        }
        if (skipped_from_ == 0) {
            if (auto const inner = inner_path()) {
                keep(interpreter_.close(*inner, trimmed(text_), currency_));
            }
            auto const slash = path_.rfind('/');
            path_.resize(slash == std::string::npos ? 0 : slash);
        } else if (skipped_from_ == depth_) {
            skipped_from_ = 0;
        }
        --depth_;
        text_.clear();
        currency_.clear();
    }

    Result<void> check_version(std::string_view name, std::string_view space) {
        namespace_ = space;
        auto version = space;
        if (name != "Document" || !version.starts_with(kCamt053Namespace)) {
            return fail(
                Errc::unsupported,
                "'" + shown(name) + "' of namespace '" + shown(space) +
                    "' is not a camt.053 document"
            );
        }
        version.remove_prefix(kCamt053Namespace.size());
        if (std::ranges::find(kVersions, version) == std::end(kVersions)) {
            return fail(
                Errc::unsupported, "camt.053.001." + shown(version) + " is not one of .02 to .08"
            );
        }
        return {};
    }

    static void on_open(
        void* self,
        xmlChar const* name,
        xmlChar const* /*prefix*/,
        xmlChar const* space,
        int namespaces,
        xmlChar const** /*declarations*/,
        int attributes,
        int /*defaulted*/,
        xmlChar const** values
    ) noexcept {
        if (of(self).error_) {
            return;  // the attributes may be gone
        }
        // Five pointers an attribute: name, prefix, namespace, begin and end of the value.
        std::string_view currency;
        for (int i = 0; i < attributes; ++i) {
            auto const* const* const attribute = values + static_cast<std::ptrdiff_t>(i) * 5;
            if (view_of(attribute[0]) == "Ccy" && attribute[2] == nullptr) {
                currency = {
                    reinterpret_cast<char const*>(attribute[3]),
                    static_cast<std::size_t>(attribute[4] - attribute[3])
                };
            }
        }
        of(self).open(
            view_of(name),
            view_of(space),
            static_cast<std::size_t>(attributes) + static_cast<std::size_t>(namespaces),
            currency.substr(0, kNameBytesMax)
        );
    }

    static void on_close(
        void* self, xmlChar const* /*name*/, xmlChar const* /*prefix*/, xmlChar const* /*space*/
    ) noexcept {
        of(self).close();
    }

    static void on_text(void* self, xmlChar const* text, int size) noexcept {
        auto& parser = of(self);
        parser.silent_bytes_ = 0;
        if (parser.error_) {
            return;
        }
        auto const length = static_cast<std::size_t>(size);
        if (parser.text_.size() + length > parser.limits_.text_bytes_max) {
            return parser.refuse(Errc::out_of_range, "the text is too long");
        }
        parser.text_.append(reinterpret_cast<char const*>(text), length);
    }

    static void on_document_type(
        void* self, xmlChar const* /*name*/, xmlChar const* /*external*/, xmlChar const* /*system*/
    ) noexcept {
        of(self).refuse(Errc::malformed, "a document type declaration is not read");
    }

    static void on_reference(void* self, xmlChar const* /*name*/) noexcept {
        of(self).refuse(Errc::malformed, "an entity is not read");
    }

    static void on_instruction(
        void* self, xmlChar const* /*target*/, xmlChar const* /*data*/
    ) noexcept {
        of(self).silent_bytes_ = 0;
    }

    static void on_comment(void* self, xmlChar const* /*text*/) noexcept {
        of(self).silent_bytes_ = 0;
    }

    static void on_error(void* self, xmlErrorPtr error) noexcept {
        if (error->level >= XML_ERR_ERROR) {
            auto const message = error->message == nullptr ? "" : trimmed(error->message);
            of(self).refuse(Errc::malformed, "not well-formed: " + shown(message));
        }
    }

    Camt053Limits const& limits_;
    Interpreter interpreter_;
    xmlSAXHandler handler_{};
    std::unique_ptr<xmlParserCtxt, Freer> context_;
    std::optional<Error> error_;
    std::string path_;       // of the open elements, but for skipped ones
    std::string text_;       // since the last tag
    std::string currency_;   // Ccy of the element that was opened last
    std::string namespace_;  // of the document
    std::size_t depth_ = 0;
    std::size_t skipped_from_ = 0;  // the depth of an open SplmtryData; 0: none
    std::size_t silent_bytes_ = 0;  // given to the parser since it last told something
};

}  // namespace

Result<void> read_camt053(std::istream& in, StatementSink& sink, Camt053Limits const& limits) {
    return Parser{sink, limits}.read(in);
}

}  // namespace florin::connectors::statements
