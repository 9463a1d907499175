// processors_driver FOLDER MOST: the processors that the cgroups of a process allow, whose folder
// takes the place of /proc/self.
#include <cstdio>
#include <cstdlib>

#include "base/processors.h"

int main(int count, char **arguments) {
    if (count != 3) {
        return EXIT_FAILURE;
    }
    std::printf("%d\n", edge_rerank::cgroup_processors(arguments[1], std::atoi(arguments[2])));
}
