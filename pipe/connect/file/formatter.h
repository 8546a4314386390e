// SPDX-License-Identifier: Apache-2.0
// Formatter: batches → text of one file format. The two formats of the file sink stand in README.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pipe/connect/line_mapping.h"
#include "pipe/engine/connector.h"

namespace tidegate {

enum class FileFormat : std::uint8_t { kLineProtocol, kCsv };

// One thread at a time. What it writes depends only on the batches and on context(): writing them again gives
// equal bytes.
class Formatter {
 public:
  virtual ~Formatter() = default;
  virtual std::string_view extension() const = 0;  // "lp", "csv"
  // The first bytes of every file.
  virtual std::string_view header() const = 0;
  // What the text so far means for the text that follows (the database that was named last). Empty at the
  // start of a file.
  virtual const std::string& context() const = 0;
  virtual void set_context(std::string context) = 0;
  // Appends the batch; what cannot be written goes to `dead`. Returns how many events were written.
  virtual std::uint64_t append(const DeliverableBatch& batch, std::string& out,
                               std::vector<DeadLetter>* dead) = 0;
};

std::unique_ptr<Formatter> make_line_formatter(const LineMappingOptions& options);
std::unique_ptr<Formatter> make_csv_formatter();

}  // namespace tidegate
