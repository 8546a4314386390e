// SPDX-License-Identifier: Apache-2.0
// tidegate-sim: random schedules by seed. See doc/simulation.md.

#include "tests/sim/campaign.h"

int main(int argc, char** argv) {
  return tidegate::sim::sim_main(argc, argv);
}
