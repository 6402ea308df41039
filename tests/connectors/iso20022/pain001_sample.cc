// Prints payout files for the programs that judge them: the sample, or one of N transfers.
#include "tests/connectors/iso20022/sample.h"

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
    using namespace florin::connectors::iso20022;
    auto initiation = test::sample();
    if (argc == 2) {
        initiation.groups.pop_back();
        auto& transfers = initiation.groups[0].transfers;
        auto const one = transfers[0];
        transfers.clear();
        for (int i = 0; i < std::atoi(argv[1]); ++i) {
            auto transfer = one;
            transfer.end_to_end_id = "PO-" + std::to_string(i);
            auto const digits = std::to_string(100'000'000'000 + i);
            transfer.uetr.replace(transfer.uetr.size() - digits.size(), digits.size(), digits);
            transfers.push_back(std::move(transfer));
        }
    }
    auto const document = write_pain001(initiation);
    if (!document) {
        std::cerr << to_string(document.error()) << std::endl;
        return 1;
    }
    std::cout << *document;
    return 0;
}
