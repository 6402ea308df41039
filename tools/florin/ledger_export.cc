#include "tools/florin/ledger_export.h"

#include "ledger/reader.h"
#include "tools/florin/byte_output.h"
#include "tools/florin/export_books.h"
#include "tools/florin/export_jsonl.h"
#include "tools/florin/output.h"

namespace florin::tools {
namespace {

std::unique_ptr<ExportWriter> make_writer(
    ExportFormat format, ByteOutput& output, ledger::LedgerReader const& reader
) {
    switch (format) {
        case ExportFormat::jsonl: return make_jsonl_writer(output, reader.id(), reader.kind());
        case ExportFormat::hledger:
            return make_books_writer(BooksFormat::hledger, output, reader.id(), reader.kind());
        case ExportFormat::beancount:
            return make_books_writer(BooksFormat::beancount, output, reader.id(), reader.kind());
    }
    return nullptr;
}

Result<void> run_export(std::filesystem::path const& data_dir, ExportOptions const& options) {
    FLORIN_TRY(auto const reader, ledger::LedgerReader::open(data_dir));
    ledger::Sequence const head = reader->head().sequence;
    ledger::Sequence const to = options.to.value_or(head);
    if (to == 0 || to > head) {
        return fail(
            Errc::out_of_range,
            "--to " + std::to_string(to) + ": the journal has records 1 to " + std::to_string(head)
        );
    }
    auto output = options.output.empty() ? Result<ByteOutput>{ByteOutput::standard()}
                                         : ByteOutput::file(options.output);
    if (!output) {
        return std::unexpected{output.error()};
    }
    auto const writer = make_writer(options.format, *output, *reader);
    FLORIN_TRY_VOID(export_items(reader->journal(), to, *writer));
    return output->finish();
}

}  // namespace

int ledger_export(std::filesystem::path const& data_dir, ExportOptions const& options) {
    auto const done = run_export(data_dir, options);
    return done ? kDone : report_error(done.error());
}

}  // namespace florin::tools
