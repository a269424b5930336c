/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef SWAPCAL_CALIBRATE_AGREEMENT_INTERNAL_H
#define SWAPCAL_CALIBRATE_AGREEMENT_INTERNAL_H

#include <stdint.h>

#include "calibrate/stats/agreement.h"

/* For the files of agreement.h and their tests alone. */

/* 95 % of a normal distribution lie within so many standard deviations: the number that Bland and Altman use.
 */
#define LIMITS_SD 1.96

/**
 * Pairs in an order that depends on nothing but their values. Values are divided by a power of two so that
 * none is above 1: this is exact, and neither squares nor their products overflow.
 */
struct agreement_data {
	size_t n, k;             /**< pairs; cells */
	double *z, *y;           /**< of n pairs, by cell */
	size_t *start;           /**< k + 1: cell c has the pairs start[c] to start[c + 1] - 1 */
	double *cell_z, *cell_y; /**< means of k cells */
	int exponent;            /**< of the power of two */
};

void agreement_data_init(struct agreement_data *d, const struct agreement_pair *pairs, size_t n);
void agreement_data_deinit(struct agreement_data *d);

/** Mean of n >= 1 values; exact when all are the same. */
double agreement_mean(const double *x, size_t n);

/** The middle of n >= 1 values, whose order it changes. */
double agreement_median(double *x, size_t n);

/* agreement-moments.c */

/** Sums of squares around the means of n points. */
struct line_moments {
	double n;
	double mean_z, mean_y;
	double zz, yy, zy;
};

void line_moments_add(struct line_moments *m, double z, double y);

/** The moments of both sets of points. */
struct line_moments line_moments_merge(const struct line_moments *a, const struct line_moments *b);

struct line_moments line_moments_of(const double *z, const double *y, size_t n);

/* agreement-limits.c */

/** All that limits of agreement depend on. */
struct limits_moments {
	double k, n;            /**< cells and pairs; not whole numbers when they are made up */
	double bias;            /**< mean of the cells' means */
	double variance_cells;  /**< of the cells' means; NAN for k < 2 */
	double variance_within; /**< pooled, of replicates; NAN without any */
	double within_share;    /**< 1 - 1 / harmonic mean of replicates of a cell */
	double uncertainty;     /**< of the bias, shared by all cells */
};

/** The d are by cell as in struct agreement_data. */
void limits_moments_init(struct limits_moments *m, const double *d, const size_t *start, size_t k,
			 double uncertainty);

/** Standard error of the bias, with the uncertainty that is shared. */
double limits_bias_se(const struct limits_moments *m);

void limits_compute(const struct limits_moments *m, double confidence, struct agreement_limits *ret);

/* agreement-verdict.c */

/** VALIDATED or REJECTED as outer and inner say, else UNDECIDED. */
enum agreement_verdict limits_verdict(const struct agreement_limits *pct, double margin_pct);

/** Two one-sided t tests (Schuirmann 1987): the larger p. */
double limits_tost_p(const struct limits_moments *pct, double margin_pct);

/** As agreement.cells_needed. */
size_t limits_cells_needed(const struct limits_moments *pct, const struct agreement_params *params);

/* agreement-line.c */

/**
 * Deming's line with error ratio Var(error of z) / Var(error of y). Maximum likelihood for normal errors
 * (Fuller 1987, Measurement error models, 1.3). NAN when z is constant or no line is better than another.
 */
void deming_fit(const double *z, const double *y, size_t k, double ratio, struct agreement_line *ret);

/** As deming_fit() with errors that grow with the value (Linnet 1993). NAN when some value is not above 0. */
void deming_fit_weighted(const double *z, const double *y, size_t k, double ratio,
			 struct agreement_line *ret);

/** Least squares of y - z on (y + z) / 2. */
void proportional_fit(const double *z, const double *y, size_t k, double *slope, struct interval *ci);

/** Var(error of z) / Var(error of y) by replicates; NAN without, or when one of them has no errors. */
double error_ratio_estimate(const struct agreement_data *d);

/* passing-bablok.c */

struct passing_bablok {
	struct agreement_line line;
	double linearity_p;
	bool is_enumerated;
};

/** All slopes of 2,000 points take 16 MB. */
#define PB_ENUMERATE_MAX 2000

/** Passing & Bablok 1983. Slopes of up to enumerate_max points are enumerated. */
void passing_bablok_fit(const double *z, const double *y, size_t k, size_t enumerate_max,
			struct passing_bablok *ret);

/* passing-bablok-slopes.c */

struct pb_point {
	double z, y;
};

/** The slopes of all pairs of points but those of -1 and those of identical points. */
struct pb_slopes;

/**
 * The points are by z, then y, and stay the caller's. Their values are small enough for slopes times them to
 * be numbers, as those of agreement_data are.
 */
struct pb_slopes *pb_slopes_create(const struct pb_point *points, size_t k, bool is_enumerated);
void pb_slopes_destroy(struct pb_slopes *s);

/** How many there are, and how many of them are below -1. */
uint64_t pb_slopes_count(const struct pb_slopes *s);
uint64_t pb_slopes_count_below(const struct pb_slopes *s);

/** The slope of this rank, from 1, among all; above those below -1. */
double pb_slopes_select(struct pb_slopes *s, uint64_t rank);

/* ccc.c */

/**
 * Lin's concordance coefficient of all pairs (Lin 1989), and its 95 % interval: by Fisher's z transform (Lin
 * 1989, corrected 2000), or with replicates by the jackknife over cells. NAN for
 * fewer than 3.
 */
void ccc_compute(const struct agreement_data *d, double *ccc, struct interval *ci);

#endif
