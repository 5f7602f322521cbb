# gbm on ndvi_5 (46,295 pixels): 10-fold cross-validated R² and relative influence, for two seeds.
#   Rscript tests/golden/gbm_ndvi_5.R ../shared/data/tables/ndvi_5.csv > tests/golden/gbm_ndvi_5.json
# Made with R 4.2.2 and gbm 2.1.8.1 (Debian 12); a seed takes about six minutes.
library(gbm)
data <- read.csv(commandArgs(trailingOnly = TRUE)[1], stringsAsFactors = TRUE)
run <- function(seed) {
  set.seed(seed)
  fold <- sample(rep(1:10, length.out = nrow(data)))
  held <- numeric(nrow(data))
  grow <- function(rows) gbm(
    NDVIchange ~ ., data = rows, distribution = "gaussian", n.trees = 500, interaction.depth = 5,
    shrinkage = 0.05, bag.fraction = 0.5, n.minobsinnode = 10, keep.data = FALSE, verbose = FALSE
  )
  for (k in 1:10) held[fold == k] <- predict(grow(data[fold != k, ]), data[fold == k, ], n.trees = 500)
  y <- data$NDVIchange
  influence <- summary(grow(data), plotit = FALSE)
  shares <- paste0('"', influence$var, '": ', format(influence$rel.inf, digits = 10), collapse = ", ")
  r2 <- 1 - sum((y - held)^2) / sum((y - mean(y))^2)
  sprintf('{"seed": %d, "cv_R2": %.10f, "rel_inf": {%s}}', seed, r2, shares)
}
settings <- "n.trees=500 depth 5 shrinkage 0.05 bag 0.5 n.minobsinnode 10, 10-fold CV"
cat(sprintf('{"gbm": "%s", "R": "%s", "settings": "%s",\n "runs": [%s]}\n', packageVersion("gbm"),
            R.version.string, settings, paste(sapply(1:2, run), collapse = ",\n  ")))
