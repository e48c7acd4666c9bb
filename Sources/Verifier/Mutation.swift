/// A rule of the verifier that a test can weaken, to see that something notices.
///
/// Each case is asked for at its rule and nowhere else: `isWeakened(.jsetClearsBits)`. Only debug builds can weaken
/// anything; in others the question is the constant `false` and leaves no code.
enum Mutation: String, CaseIterable, Sendable {
    // Arithmetic on ranges.
    case sumForgetsOverflow, lowSumForgetsOverflow, differenceForgetsOverflow, lowDifferenceForgetsOverflow
    case productForgetsOverflow, lowProductForgetsOverflow
    case andHasNoBound, orHasNoBound, leftShiftForgetsOverflow, rightShiftSwapsCounts,
        arithmeticShiftSwapsCounts
    case quotientForgetsZero, quotientHasNoBound, remainderForgetsZero, remainderHasNoBound
    case signedQuotientForgetsOverflow, signedRemainderForgetsSign
    case narrowResultKeepsUpperHalf, truncationKeepsUpperBits, signExtensionForgetsSign, byteSwapKeepsValue

    // What one view of a number says about another.
    case signedIgnoresUnsigned, unsignedIgnoresSigned, lowIgnoresWhole, wholeIgnoresLow, rangesIgnoreBits
    case bitsIgnoreRanges

    // What a branch teaches.
    case equalTeachesNothing, notEqualTeachesNothing, looseIsStrict, strictIsLoose, signedComparesUnsigned
    case lowEqualityTeachesWhole, lowOrderTeachesWhole, jsetTeachesNothing, clearedBitsTeachNothing
    case jsetTakenSetsAllBits, linkedRegistersLearnNothing, linkSurvivesTruncation, linkSurvivesArithmetic
    case decidedBranchGoesBothWays, nullCheckSettlesBothWays, nullCheckSettlesOneCopy, failedAcquisitionIsHeld

    // Registers and pointers.
    case unwrittenRegisterIsReadable, callKeepsArguments, pointersMultiply, pointersTruncate
    case maybeNullMoves, offsetsUnlimited, pointersCompare, differenceOfAnyPointers, resultMayBePointer

    // Memory.
    case maybeNullIsUsable, lowerEndUnchecked, upperEndUnchecked, readOnlyMapIsWritable, constantsUnknown
    case constantsForgetOffset, lockIsData, regionIsWritable, keyIsWritable, contextIsWritable, pointersLeak
    case atomicsUnaligned, fetchKeepsSource, compareExchangeKeepsR0

    // The stack.
    case stackHasNoEnd, unwrittenStackIsReadable, partOfPointerIsNumber, overwriteKeepsSpill
    case variableWriteKeepsSpills, variableReadOfPointers, narrowSpillIsWhole, narrowFillIsWhole
    case calleeAddressEscapes, calleeAddressReturns, outMemoryKeepsValues, opaqueIsData

    // Calls.
    case anyHelper, sizeMayBeNegative, sizeMayBeZero, sizeUnlimited, keyIsOneByte, anyMapType,
        updateOfReadOnlyMap
    case stringUnterminated, callbackReturnsAnything, recursionAllowed, framesUnlimited, stackSumUnlimited
    case lockTwice, lockAtExit, unlockOfAnother, callUnderLock
    case referenceAtExit, releaseOfNothing, useAfterRelease, untrustedArgument, anyObjectType,
        variableConstant
    case iteratorUnmade, iteratorAtExit, iteratorNeverEnds, argumentSlotsUnlimited

    // Objects.
    case fieldsHaveNoEnd, walkedIsTrusted, writesAnyField, layoutUnchecked

    // Exploring.
    case nothingIsPrecise, rangesNeedNotNest, idsNeedNotMatch, stackNeedNotMatch, callersNeedNotMatch
    case referencesNeedNotMatch, liveRegistersAreDropped, liveSlotsAreDropped, loopsNeedNoFuel,
        budgetUnlimited

    // Shape.
    case framePointerIsWritable, divisionByZero, shiftsUnlimited, jumpsAnywhere, fallsOffTheEnd

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
