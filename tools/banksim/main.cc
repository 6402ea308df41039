// florin-banksim: a bank for tests and the demo, on ISO 8583 (1987 ASCII unless told otherwise).
//
// It is not a bank: it keeps test data only and listens to whoever connects. When it serves it
// prints one JSON line with its addresses. Exit: 0 done, 2 wrong use or could not run.
#include "connectors/iso8583/codec.h"
#include "connectors/iso8583/codec_mac.h"
#include "tools/banksim/control.h"
#include "tools/banksim/host.h"
#include "tools/banksim/reports.h"

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <csignal>
#include <iostream>

namespace florin::banksim {
namespace {

struct Arguments {
    std::string data_dir;
    std::string listen;
    std::string control;
    std::string faults;
    std::string packaging;
    std::string mac;
    std::string mac_key;
    std::string mac_kek;
    BookOptions book;
    std::string report_kind;
    std::string report_date;
    std::string report_out;
    std::string collect_file;
};

int complain(Error const& error) {
    std::cerr << "florin-banksim: " << to_string(error) << std::endl;
    return 2;
}

int print_report(Arguments const& arguments, Book& book) {
    auto const date = arguments.report_date.empty() ? book.business_date() : arguments.report_date;
    auto const bytes = report(book, arguments.report_kind, date);
    if (!bytes) {
        return complain(bytes.error());
    }
    if (arguments.report_out.empty()) {
        std::cout << *bytes << std::flush;
        return 0;
    }
    auto const written = write_report(arguments.report_out, *bytes);
    return written ? 0 : complain(written.error());
}

int print_collected(Arguments const& arguments, Book& book) {
    auto const answer = collect(arguments.collect_file, book);
    std::cout << answer << std::flush;
    return answer.find("\"ok\":true") != std::string::npos ? 0 : 2;
}

Result<connectors::iso8583::MacOptions> mac_options(
    Arguments const& arguments, connectors::iso8583::Packaging const& packaging
) {
    connectors::iso8583::MacOptions options;
    if (arguments.mac.empty()) {
        return options;
    }
    auto const algorithm = crypto::mac_algorithm_of(arguments.mac);
    if (!algorithm) {
        return fail(Errc::malformed, "--mac is one of aes-cmac, tdes-cmac, x9.19");
    }
    options.algorithm = *algorithm;
    if (arguments.mac_key.empty() == arguments.mac_kek.empty()) {
        return fail(Errc::malformed, "--mac needs either --mac-key or --mac-kek");
    }
    bool const is_exchanged = arguments.mac_key.empty();
    FLORIN_TRY(
        auto key, crypto::load_hex_key(is_exchanged ? arguments.mac_kek : arguments.mac_key)
    );
    (is_exchanged ? options.key_encryption_key : options.key) = std::move(key);
    FLORIN_TRY_VOID(connectors::iso8583::check_mac_options(options, packaging));
    return options;
}

int serve(Arguments const& arguments, Book& book) {
    auto packaging = arguments.packaging.empty()
                         ? connectors::iso8583::default_packaging()
                         : connectors::iso8583::load_packaging(arguments.packaging);
    if (!packaging) {
        return complain(packaging.error());
    }
    auto mac = mac_options(arguments, *packaging);
    if (!mac) {
        return complain(mac.error());
    }
    Faults faults;
    if (!arguments.faults.empty()) {
        if (auto const loaded = faults.load(arguments.faults); !loaded) {
            return complain(loaded.error());
        }
    }
    boost::asio::io_context context{1};
    Host host{context, book, faults, std::move(*packaging), std::move(*mac)};
    auto const address = host.listen(arguments.listen);
    if (!address) {
        return complain(address.error());
    }
    std::string ready = R"({"event":"ready","address":")" + *address + "\"";
    if (!arguments.control.empty()) {
        auto const control = host.listen_control(arguments.control);
        if (!control) {
            return complain(control.error());
        }
        ready += R"(,"control":")" + *control + "\"";
    }
    boost::asio::signal_set signals{context, SIGINT, SIGTERM};
    signals.async_wait([&context](boost::system::error_code, int) { context.stop(); });
    std::cout << ready << "}" << std::endl;
    context.run();
    host.stop();
    return 0;
}

int run(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"A simulated bank on ISO 8583, with its own book, faults and reports."};
    app.set_version_flag("--version", "florin-banksim " FLORIN_VERSION);
    app.add_option("--data-dir", arguments.data_dir, "Where the bank keeps its book")->required();
    app.add_option("--listen", arguments.listen, "ADDRESS:PORT for ISO 8583; port 0 chooses one");
    app.add_option("--control", arguments.control, "ADDRESS:PORT for faults and reports");
    app.add_option("--faults", arguments.faults, "Fault rules, one JSON object a line");
    app.add_option("--packaging", arguments.packaging, "A file like conf/iso8583/1987_bcd.toml");
    app.add_option("--mac", arguments.mac, "Messages bear a MAC: aes-cmac, tdes-cmac or x9.19");
    app.add_option("--mac-key", arguments.mac_key, "Its key: a file of hexadecimal, mode 0600");
    app.add_option("--mac-kek", arguments.mac_kek, "Or the key that exchanged keys come under");
    app.add_option("--acquirer", arguments.book.acquirer, "Name in payout references (new book)");
    app.add_option(
           "--fee-basis-points", arguments.book.fee_basis_points, "Fee of a capture (new book)"
    )
        ->check(CLI::Range(0, 10'000));
    app.add_flag(
        "!--no-sync", arguments.book.is_synced, "For benchmarks: the book is not synced to the disk"
    );
    auto* const reporting = app.add_subcommand("report", "Writes a report and ends");
    reporting->fallthrough();
    reporting->add_option("kind", arguments.report_kind, "transactions or camt053")->required();
    reporting->add_option("--date", arguments.report_date, "Business date, default today");
    reporting->add_option("--out", arguments.report_out, "File, default standard output");
    auto* const collecting = app.add_subcommand("collect", "Executes a pain.001 file and ends");
    collecting->fallthrough();
    collecting->add_option("file", arguments.collect_file, "pain.001.001.09")->required();
    app.require_subcommand(0, 1);
    try {
        app.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (!*reporting && !*collecting && arguments.listen.empty()) {
        std::cerr << "florin-banksim: --listen is missing" << std::endl;
        return 2;
    }
    SystemClock const clock;
    auto book = Book::open(arguments.data_dir, arguments.book, clock);
    if (!book) {
        return complain(book.error());
    }
    if (*collecting) {
        return print_collected(arguments, *book);
    }
    return *reporting ? print_report(arguments, *book) : serve(arguments, *book);
}

}  // namespace
}  // namespace florin::banksim

int main(int argc, char** argv) {
    return florin::banksim::run(argc, argv);
}
