// SPDX-License-Identifier: Apache-2.0
// Any bytes into every reader of batches. What validates must be canonical indeed: built again from its rows
// or events it gives the same bytes, and the summary says what the rows say.
#include <cstdlib>

#include "pipe/model/owned_row.h"

namespace tidegate {
namespace {

void expect(bool condition) {
  if (!condition) std::abort();
}

void rebuild_rows(ByteView bytes, const BatchHead& head, const BatchSummary& summary) {
  auto rows = test::rows_of(bytes);
  expect(rows.ok() && rows->size() == summary.events);
  expect(std::ranges::equal(test::NaiveWriter::write(head, *rows), bytes));
  if (rows->empty()) return;
  BatchBuilder builder(head.source, head.unit, head.flags);
  for (const test::OwnedRow& row : *rows) {
    expect(test::with_view(row, [&](const RowView& view) { return builder.add(view); }).ok());
  }
  const Batch batch = builder.build();
  expect(std::ranges::equal(batch.canonical, bytes));
  expect(batch.summary.values == summary.values && batch.summary.time_min == summary.time_min &&
         batch.summary.time_max == summary.time_max);
}

template <class Events>
void rebuild(ByteView bytes, const BatchHead& head, const Result<Events>& events) {
  expect(events.ok());
  expect(std::ranges::equal(make_batch(head, *events).canonical, bytes));
}

void rebuild_any(ByteView bytes, const BatchHead& head, const BatchSummary& summary) {
  switch (summary.kind) {
    case EventKind::kRows:
      return rebuild_rows(bytes, head, summary);
    case EventKind::kDeletion:
      return rebuild(bytes, head, read_deletions(bytes));
    case EventKind::kSchema:
    case EventKind::kOpaque: {
      const auto events = read_opaque(bytes);
      expect(events.ok());
      return expect(std::ranges::equal(make_batch(head, summary.kind, *events).canonical, bytes));
    }
    case EventKind::kFile:
      return rebuild(bytes, head, read_files(bytes));
    case EventKind::kPiece:
      return rebuild(bytes, head, read_pieces(bytes));
    case EventKind::kGap:
      return rebuild(bytes, head, read_gaps(bytes));
    case EventKind::kFork:
      return rebuild(bytes, head, read_forks(bytes));
    case EventKind::kStatistics:
      return rebuild(bytes, head, read_statistics(bytes));
  }
}

}  // namespace
}  // namespace tidegate

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidegate;
  const ByteView bytes(data, size);
  const auto summary = summarize(bytes);
  EventKind kind{};
  const auto head = read_head(bytes, &kind);
  if (!summary.ok()) {
    expect(!test::rows_of(bytes).ok() || kind != EventKind::kRows);
    return 0;
  }
  expect(head.ok() && kind == summary->kind);
  rebuild_any(bytes, *head, *summary);
  return 0;
}
