#include "connectors/statements/camt053.h"

#include "connectors/statements/camt053_entries.h"
#include "connectors/statements/text.h"

#include <libxml/parser.h>

#include <algorithm>
#include <array>
#include <memory>

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

// Form: from bytes to elements, bounded. Callbacks run inside the C library, so nothing may be
// thrown through them: the first error is kept, what comes after it in the same piece of the file
// is ignored, and no other piece is given. (xmlStopParser in a callback frees what the library
// still uses when it reports an encoding error.)
class Parser {
public:
    Parser(StatementSink& sink, Camt053Limits const& limits)
        : limits_{limits}, entries_{sink, limits} {
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
        if (entries_.statements() == 0) {
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
        if (!result && entries_.has_sink_refused()) {
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
            keep(entries_.open(*inner));
        }
    }

    void close() {
        silent_bytes_ = 0;
        if (error_) {
            return;
        }
        if (skipped_from_ == 0) {
            if (auto const inner = inner_path()) {
                keep(entries_.close(*inner, trimmed(text_), currency_));
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
    Camt053Entries entries_;
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
