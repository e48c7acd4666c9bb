/// A rule of the verifier that a test can weaken, to see that something notices.
///
/// Each case is asked for at its rule and nowhere else: `isWeakened(.jsetTeachesNothing)`. Only debug builds can weaken
/// anything; in others the question is the constant `false` and leaves no code.
enum Mutation: String, CaseIterable, Sendable {
    // Arithmetic on ranges.
    case sumForgetsOverflow, lowSumForgetsOverflow, differenceForgetsOverflow, lowDifferenceForgetsOverflow
    case productForgetsOverflow, lowProductForgetsOverflow
    case andHasNoBound, orHasNoBound
    case leftShiftForgetsOverflow, rightShiftSwapsCounts, arithmeticShiftSwapsCounts
    case quotientForgetsZero, quotientHasNoBound, remainderForgetsZero, remainderHasNoBound
    case signedQuotientForgetsOverflow, signedRemainderForgetsSign
    case narrowResultKeepsUpperHalf, truncationKeepsUpperBits, signExtensionForgetsSign, byteSwapKeepsValue

    // What one view of a number says about another.
    case signedIgnoresUnsigned, unsignedIgnoresSigned, lowIgnoresWhole, wholeIgnoresLow, rangesIgnoreBits
    case bitsIgnoreRanges

    // What a branch teaches.
    case equalTeachesNothing, notEqualTeachesNothing, looseIsStrict, strictIsLoose, signedComparesUnsigned
    case lowEqualityTeachesWhole, lowOrderTeachesWhole
    case jsetTeachesNothing, clearedBitsTeachNothing, jsetTakenSetsAllBits
    case linkedRegistersLearnNothing, linkSurvivesTruncation, linkSurvivesArithmetic
    case decidedBranchGoesBothWays, nullCheckSettlesBothWays, failedAcquisitionIsHeld

    // Registers and pointers.
    case unwrittenRegisterIsReadable, callKeepsArguments, pointersMultiply
    case maybeNullMoves, offsetsUnlimited

    // Memory.
    case maybeNullIsUsable, lowerEndUnchecked, upperEndUnchecked, readOnlyMapIsWritable, constantsUnknown
    case fieldIsData, regionIsWritable, keyIsWritable
    case atomicsUnaligned, fetchKeepsSource, compareExchangeKeepsR0

    // The stack.
    case partOfPointerIsNumber, overwriteKeepsSpill
    case variableWriteKeepsSpills, narrowFillIsWhole
    case calleeAddressEscapes, calleeAddressReturns, outMemoryKeepsValues

    // Calls.
    case anyHelper, anyMapType, updateOfReadOnlyMap, keyIsOneByte, stringUnterminated, maybeNullArgument
    case sizeMayBeZero
    case callbackReturnsAnything, stackSumUnlimited
    case unlockOfAnother, callUnderLock, holdingsAtExit, useAfterRelease
    case untrustedArgument, anyObjectType, iteratorUnmade

    // Objects and arguments.
    case fieldsHaveNoEnd, writesAnyField, argumentSlotsUnlimited

    // Exploring.
    case nothingIsPrecise, rangesNeedNotNest, idsNeedNotMatch, stackNeedNotMatch, callersNeedNotMatch
    case referencesNeedNotMatch, liveRegistersAreDropped, liveSlotsAreDropped, loopsNeedNoFuel

    // Shape.
    case framePointerIsWritable, divisionByZero, shiftsUnlimited, fallsOffTheEnd

    #if DEBUG
        /// The one rule that is weak while a test runs.
        @TaskLocal static var active: Mutation?
    #endif
}

/// Whether a test has weakened this rule.
@inline(__always)
func isWeakened(_ rule: Mutation) -> Bool {
    #if DEBUG
        Mutation.active == rule
    #else
        false
    #endif
}
